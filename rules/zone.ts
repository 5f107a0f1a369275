/**
 * Time zones, from the zone data that comes with the runtime (`Intl`). All engines use this one answer: none of them
 * does time-zone arithmetic itself, since their zone data differ.
 *
 * A local time that a zone skips (a gap) moves forward by the gap; one that it has twice (an overlap) is the earlier.
 * A civil day begins at the first moment at which the clock shows that day or a later one, and lasts until the next
 * begins. So every moment lies in exactly one civil day, also where clocks are set back over midnight (what the clock
 * repeats belongs to the day that has already begun), and a day that a zone left out has no moments.
 */
import { dayOfMicros, floorDivide, MICROS_PER_SECOND } from './civil.js';

/** From `atSeconds` (since 1970-01-01T00:00:00Z) on the zone is `after` seconds ahead of UTC; `before` before. */
export interface Transition {
  readonly atSeconds: number;
  readonly before: number;
  readonly after: number;
}

const SECONDS_PER_DAY = 86_400;
/** Transitions are looked for block by block, when first asked for. */
const BLOCK_SECONDS = 366 * SECONDS_PER_DAY;
/** No zone has a transition before 1800; and after 2100 only the two of each year that its last rule gives. */
const FIRST_TRANSITIONS_SECONDS = Date.UTC(1800, 0) / 1000;
const REGULAR_SINCE_SECONDS = Date.UTC(2100, 0) / 1000;
/** Offsets and gaps are below a day each, so what happens farther off does not touch a local time. */
const REACH_SECONDS = 2 * SECONDS_PER_DAY;
const OFFSET_TEXT = /GMT(?:([+-])(\d{1,2}):(\d{2})(?::(\d{2}))?)?$/;

/** By every name that was asked for: settings and options name few. */
const zones = new Map<string, Zone>();

/** Is it the name of a zone that the runtime knows, as `Asia/Shanghai` or `UTC`? */
export function isZone(name: string): boolean {
  return createFormat(name) !== null;
}

/** The zone of an IANA name; a RangeError where there is none. */
export function getZone(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) {
    const format = createFormat(name);
    if (format === null) throw new RangeError(`There is no time zone '${name}'.`);
    // One object for all names of a zone, so that zones can be compared by it.
    const { timeZone } = format.resolvedOptions();
    zone = zones.get(timeZone) ?? new Zone(timeZone, format);
    zones.set(timeZone, zone);
    zones.set(name, zone);
  }
  return zone;
}

function createFormat(name: string): Intl.DateTimeFormat | null {
  if (!/^[A-Za-z]/.test(name)) return null;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  } catch {
    return null;
  }
}

/** One stretch of time, [fromSeconds, toSeconds), in which the zone is `offset` seconds ahead of UTC. */
export interface Segment {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly offset: number;
}

/** What is known of the seconds (n × BLOCK_SECONDS, (n + 1) × BLOCK_SECONDS]: the offset at n × BLOCK_SECONDS, then what changes it. */
interface Block {
  readonly offset: number;
  readonly transitions: readonly Transition[];
}

export class Zone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #blocks = new Map<number, Block>();

  constructor(name: string, format: Intl.DateTimeFormat) {
    this.name = name;
    this.#format = format;
  }

  /** Seconds ahead of UTC at a moment in whole seconds. */
  offsetAt(seconds: number): number {
    const { offset, transitions } = this.#block(Math.floor(seconds / BLOCK_SECONDS));
    return transitions.findLast(({ atSeconds }) => atSeconds <= seconds)?.after ?? offset;
  }

  /** The transitions at moments in [from, to), in order. */
  transitionsBetween(fromSeconds: number, toSeconds: number): readonly Transition[] {
    const found: Transition[] = [];
    const last = Math.floor(toSeconds / BLOCK_SECONDS);
    for (let number = Math.ceil(fromSeconds / BLOCK_SECONDS) - 1; number <= last; number += 1) {
      for (const transition of this.#block(number).transitions) {
        if (transition.atSeconds >= fromSeconds && transition.atSeconds < toSeconds) found.push(transition);
      }
    }
    return found;
  }

  /**
   * The segments that may show a local time (given in seconds as if it were UTC), in order: those within two days of
   * it. The first is taken to reach back for ever, and the last to go on for ever.
   */
  segmentsAround(localSeconds: number): readonly Segment[] {
    const segments: Segment[] = [];
    let fromSeconds = Number.NEGATIVE_INFINITY;
    let offset = this.offsetAt(localSeconds - REACH_SECONDS - 1);
    for (const { atSeconds, after } of this.transitionsBetween(
      localSeconds - REACH_SECONDS,
      localSeconds + REACH_SECONDS,
    )) {
      segments.push({ fromSeconds, toSeconds: atSeconds, offset });
      fromSeconds = atSeconds;
      offset = after;
    }
    segments.push({ fromSeconds, toSeconds: Number.POSITIVE_INFINITY, offset });
    return segments;
  }

  /** What a wall clock in the zone shows at a moment. */
  localOfInstant(micros: bigint): bigint {
    return micros + BigInt(this.offsetAt(secondOf(micros))) * MICROS_PER_SECOND;
  }

  /** The moment at which a wall clock in the zone shows this. */
  instantOfLocal(localMicros: bigint): bigint {
    const local = secondOf(localMicros);
    const segments = this.segmentsAround(local);
    const showing =
      segments.find(
        ({ fromSeconds, toSeconds, offset }) => local - offset >= fromSeconds && local - offset < toSeconds,
      ) ??
      // Skipped: counted on with the offset before the gap.
      segments.findLast(({ toSeconds, offset }) => toSeconds + offset <= local);
    if (showing === undefined) throw new Error(`${this.name} neither shows nor skips ${local}.`);
    return localMicros - BigInt(showing.offset) * MICROS_PER_SECOND;
  }

  /** The first moment of a civil day, in microseconds. */
  startOfDay(day: number): bigint {
    const midnight = day * SECONDS_PER_DAY;
    const first = this.segmentsAround(midnight).find(
      ({ toSeconds, offset }) => midnight < toSeconds + offset,
    );
    if (first === undefined) throw new Error(`${this.name} never reaches day ${day}.`);
    return BigInt(Math.max(first.fromSeconds, midnight - first.offset)) * MICROS_PER_SECOND;
  }

  /** The civil day that a moment lies in: the latest that the clock has shown by then. */
  civilDay(micros: bigint): number {
    const seconds = secondOf(micros);
    const shownBefore = this.transitionsBetween(seconds - REACH_SECONDS, seconds + 1).map(
      ({ atSeconds, before }) => Math.floor((atSeconds - 1 + before) / SECONDS_PER_DAY),
    );
    return Math.max(dayOfMicros(this.localOfInstant(micros)), ...shownBefore);
  }

  #block(number: number): Block {
    let block = this.#blocks.get(number);
    if (block === undefined) {
      block = this.#findTransitions(number * BLOCK_SECONDS);
      this.#blocks.set(number, block);
    }
    return block;
  }

  #findTransitions(blockStart: number): Block {
    const blockEnd = blockStart + BLOCK_SECONDS;
    const offset = this.#askOffset(blockStart);
    if (blockEnd < FIRST_TRANSITIONS_SECONDS) return { offset, transitions: [] };
    const step = (blockStart > REGULAR_SINCE_SECONDS ? 6 : 1) * SECONDS_PER_DAY;
    const transitions: Transition[] = [];
    let before = offset;
    for (let at = blockStart + step; at <= blockEnd; at += step) {
      const after = this.#askOffset(at);
      if (after !== before)
        transitions.push({ atSeconds: this.#bisect(at - step, at, after), before, after });
      before = after;
    }
    return { offset, transitions };
  }

  /** The first second in (low, high] with the offset that `high` has. */
  #bisect(low: number, high: number, after: number): number {
    let [wrong, right] = [low, high];
    while (right - wrong > 1) {
      const middle = Math.floor((wrong + right) / 2);
      if (this.#askOffset(middle) === after) right = middle;
      else wrong = middle;
    }
    return right;
  }

  #askOffset(seconds: number): number {
    const [, sign, hours, minutes, rest] = OFFSET_TEXT.exec(this.#format.format(seconds * 1000)) ?? [];
    if (sign === undefined) return 0;
    const offset = Number(hours) * 3600 + Number(minutes) * 60 + Number(rest ?? 0);
    return sign === '-' ? -offset : offset;
  }
}

function secondOf(micros: bigint): number {
  return Number(floorDivide(micros, MICROS_PER_SECOND));
}
