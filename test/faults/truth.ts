/**
 * What may be true, and when: the judge of every answer. A write is under way from its beginning until the store has
 * acknowledged it; in between both values may be seen. One that failed may have been done or not, until a later one is
 * acknowledged.
 *
 * Wrong is an answer that says `fresh` and was true at no moment within the last `staleAfterMs`, or says `stale` and was
 * true at no moment since its `asOf`.
 */

export interface Answer {
  readonly isMatch: boolean;
  /** `fresh`, or since when it may be old (epoch milliseconds). */
  readonly asOf: 'fresh' | number;
}

interface Span {
  readonly isMember: boolean;
  readonly fromMs: number;
  untilMs: number;
}

export class Truth {
  readonly #spans = new Map<string, Span[]>();
  readonly #staleAfterMs: number;

  constructor(staleAfterMs: number) {
    this.#staleAfterMs = staleAfterMs;
  }

  /** Call before the write begins; call what it returns when the store has acknowledged it, and never where it failed. */
  write(uid: string, isMember: boolean, nowMs: number): (acknowledgedAtMs: number) => void {
    const spans = this.#spans.get(uid) ?? [];
    const before = [...spans];
    spans.push({ isMember, fromMs: nowMs, untilMs: Number.POSITIVE_INFINITY });
    this.#spans.set(uid, spans);
    return (acknowledgedAtMs) => {
      for (const span of before) span.untilMs = Math.min(span.untilMs, acknowledgedAtMs);
    };
  }

  /** Users never written are members of nothing. `askedAtMs` … `nowMs` is while the request was under way. */
  isRight(uid: string, { isMatch, asOf }: Answer, askedAtMs: number): boolean {
    const spans = this.#spans.get(uid);
    if (spans === undefined) return !isMatch;
    const sinceMs = asOf === 'fresh' ? askedAtMs - this.#staleAfterMs : asOf;
    return spans.some(({ isMember, untilMs }) => isMember === isMatch && untilMs >= sinceMs);
  }

  /** For a failure's message. */
  history(uid: string): string {
    return JSON.stringify(this.#spans.get(uid) ?? []);
  }
}
