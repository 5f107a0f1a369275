/**
 * What a log may tell of an error. The words of an error that is not ours may repeat what it was about, and that may be a
 * user, a header, or a statement's parameters: HBase names a region by the row that it begins with, DuckDB and Postgres name
 * the value that did not fit, JSON.parse the text. So a log tells what such an error is and where it arose, and not what it says.
 */
import { QuanrenError } from './quanren-error.js';
import { sentenceOf } from './reason-of.js';

/** Longer chains of causes are cut. */
const MAX_CAUSES = 5;
/** A line of V8's stack traces that names a place: `    at read (file:///app/dist/a.js:12:5)`. */
const FRAME = /^ {4}at .+:\d+:\d+\)?$/;

export interface ToldError {
  /** The name of its class. */
  readonly type: string;
  /** Of the table of codes, of the system (`ECONNREFUSED`), of Postgres (`23505`). */
  readonly code?: string;
  readonly message?: string;
  /** Where it arose: the frames alone. */
  readonly stack: readonly string[];
  readonly cause?: ToldError;
}

/** As a field of a log line. */
export function describeError(error: unknown, causes = MAX_CAUSES): ToldError {
  if (!(error instanceof Error)) return { type: typeof error, stack: [] };
  const { code } = error as { readonly code?: unknown };
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    ...(mayBeQuoted(error) ? { message: error.message } : {}),
    stack: framesOf(error),
    ...(error.cause === undefined || causes === 0 ? {} : { cause: describeError(error.cause, causes - 1) }),
  };
}

/** In a few words, to stand within a sentence. */
export function tellError(error: unknown): string {
  if (mayBeQuoted(error)) return sentenceOf(error);
  return error instanceof Error ? `${error.name}, a defect` : 'a defect';
}

/** Our sentences name no user, but where they answer who asked for one; the system's name calls, addresses and paths. */
function mayBeQuoted(error: unknown): boolean {
  return error instanceof QuanrenError || (error instanceof Error && 'syscall' in error);
}

function framesOf({ stack = '', message }: Error): string[] {
  // Its words come first, and may have lines that look like frames: where they are not found, nothing is.
  const from = stack.indexOf(message);
  if (from < 0) return [];
  return stack
    .slice(from + message.length)
    .split('\n')
    .filter((line) => FRAME.test(line))
    .map((line) => line.trim());
}
