/** One line when Redis goes away, when that turns out to have another reason, and when it is back. */
import type { Logger } from 'pino';

export function logRedis(log: Logger, reason: string | undefined): void {
  if (reason === undefined) log.info('Redis serves');
  else log.warn({ reason }, 'Redis is away: the gateway does without');
}
