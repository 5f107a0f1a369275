/** One field of a cron expression: a list of values, ranges and steps. */

/** What the values of a field are, and how its dialect writes them. */
export interface FieldKind {
  /** For messages: `day of the week`. */
  readonly name: string;
  readonly low: number;
  readonly high: number;
  /** The highest number that may be written, where that is not `high`: 7 for the Sunday of five-field cron. */
  readonly highestWritten?: number;
  /** `JAN` → 1. */
  readonly names?: Readonly<Record<string, number>>;
  /** Whether a range may run over the end: `22-2`, `FRI-MON`. */
  readonly wraps: boolean;
  /** Whether `5/15` is read, as 5, 20, 35 … Classic crons differ about it. */
  readonly openSteps: boolean;
}

/** Why a field is not valid; the parser of the whole expression adds the rest of the sentence. */
export class FieldError extends Error {}

/** One value, as it is written: a number, or a name. */
export function parseValue(text: string, kind: FieldKind): number {
  const named = kind.names?.[text];
  if (named !== undefined) return named;
  const highest = kind.highestWritten ?? kind.high;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= kind.low && value <= highest)) {
    const names = Object.keys(kind.names ?? {});
    const orName = names.length === 0 ? '' : `, nor one of ${names.join(', ')}`;
    throw new FieldError(`'${text}' is not a number from ${kind.low} to ${highest}${orName}`);
  }
  return value;
}

/** `5`, `1-5`, `*`, `*` or a range with `/step`: the values that it stands for. */
export function parseItem(text: string, kind: FieldKind): number[] {
  const [, range = '', stepText] = /^([^/]+)(?:\/(.*))?$/.exec(text) ?? [];
  const highest = kind.highestWritten ?? kind.high;
  const [fromText = '', toText, more] = range.split('-');
  if (range === '' || more !== undefined) throw new FieldError(`'${text}' is neither a value nor a range`);
  const step = stepText === undefined ? 1 : /^\d{1,4}$/.test(stepText) ? Number(stepText) : 0;
  if (step < 1 || step > highest) {
    throw new FieldError(`'${text}' has a step that is not a number from 1 to ${highest}`);
  }
  if (range === '*') return stretch(kind.low, kind.high, step, kind);
  const from = parseValue(fromText, kind);
  if (toText !== undefined) return stretch(from, parseValue(toText, kind), step, kind);
  if (stepText === undefined) return stretch(from, from, 1, kind);
  if (!kind.openSteps) {
    throw new FieldError(
      `'${text}' means different things to different crons: write ${from}-${kind.high}/${step}`,
    );
  }
  return stretch(from, kind.high, step, kind);
}

function stretch(from: number, to: number, step: number, kind: FieldKind): number[] {
  const span = kind.high - kind.low + 1;
  if (to < from && !kind.wraps) throw new FieldError(`the range ${from}-${to} runs backwards`);
  const end = to < from ? to + span : to;
  const values: number[] = [];
  for (let value = from; value <= end; value += step) values.push(kind.low + ((value - kind.low) % span));
  return values;
}

/** All values of a list such as `1,5-7,MON`. */
export function parseField(text: string, kind: FieldKind): ReadonlySet<number> {
  return new Set(text.split(',').flatMap((item) => parseItem(item, kind)));
}
