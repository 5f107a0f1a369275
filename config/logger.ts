/**
 * The log of a process: JSON lines on its standard error. No user, no credential and no word of an error that is not ours gets
 * into it (errors/tell-error.ts), whoever writes the line.
 */
import { type DestinationStream, type Logger, pino } from 'pino';
import { describeError } from '../errors/tell-error.js';

/** What fields of these names hold is left out, on a line and one level below. */
const SECRET_FIELDS = ['uid', 'uids', 'authorization', 'token', 'password', 'headers', 'query', 'body'];

/** `name`: of the process. `destination` is for tests. */
export function createLogger(
  name: string,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger {
  return pino(
    {
      name,
      serializers: { err: (error: unknown) => describeError(error) },
      hooks: {
        // Where a line has no words pino takes those of the error.
        logMethod(args, method) {
          const [fields, words] = args as [unknown, string?];
          method.apply(this, words === undefined && holdsError(fields) ? [fields, 'An error'] : args);
        },
      },
      redact: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]),
    },
    destination,
  );
}

function holdsError(fields: unknown): fields is object {
  return fields instanceof Error || (typeof fields === 'object' && fields !== null && 'err' in fields);
}

/** What nobody has caught ends the process as ever, with exit code 1, but is told as other errors are. */
export function logCrashes(log: Logger): void {
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'A defect ends this process');
    process.exit(1);
  });
}
