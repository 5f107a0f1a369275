/** What the errors of kafkajs mean to those who use the bus. */
import { QuanrenError } from '../../errors/quanren-error.js';
import { reasonOf } from '../../errors/reason-of.js';

/** The error and its causes, the outermost first. */
function* chainOf(error: unknown): Generator<Error> {
  // A chain of causes that bites its tail is no reason to hang.
  for (let depth = 0, at = error; depth < 10 && at instanceof Error; depth += 1, at = at.cause) yield at;
}

/**
 * What the errors along a chain of causes are called: by Kafka's protocol (`NOT_CONTROLLER`), by the system
 * (`ECONNREFUSED`), or else by their class.
 */
export function* errorTypes(error: unknown): Generator<string> {
  for (const each of chainOf(error)) {
    const { type, code } = each as { type?: unknown; code?: unknown };
    yield typeof type === 'string' ? type : typeof code === 'string' ? code : each.name;
  }
}

/** Whether it passes by itself in a moment: topics, leaders and coordinators that have just come or moved. */
export function isSettling(error: unknown): boolean {
  return [...errorTypes(error)].some((type) => SETTLING.has(type));
}

const SETTLING: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'NOT_CONTROLLER',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);

/** `error` as it is told: `set_up` for what waiting does not mend, else `unavailable`. */
export function toBusError(what: string, error: unknown): QuanrenError {
  if (error instanceof QuanrenError) return error;
  const types = [...errorTypes(error)];
  const refusal = types.find((type) => REFUSALS.has(type));
  if (refusal !== undefined) {
    return new QuanrenError('set_up', `Kafka: ${what} was refused (${refusal}).`, { cause: error });
  }
  const [reason] = types.slice(-1);
  const told = reason === undefined || reason === 'Error' ? reasonOf(error) : reason;
  const said = [...chainOf(error)].map(({ message }) => message).join();
  const [, hint = ''] = HINTS.find(([pattern]) => pattern.test(said)) ?? [];
  return new QuanrenError('unavailable', `Kafka: ${what} failed (${told}${hint}).`, { cause: error });
}

/** By what Node.js (`tls`) and kafkajs (`network/connection.js`) say: where TLS is on at one side alone, no code tells. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/before secure TLS connection was established/, ': does this port of the broker speak TLS?'],
  [/Closed connection/, ': the broker closed the connection; if it always does, this port may want TLS'],
];

const REFUSALS: ReadonlySet<string> = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'KafkaJSSASLAuthenticationError',
  'UNSUPPORTED_SASL_MECHANISM',
]);
