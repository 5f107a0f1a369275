/** What one worker answers in a second at most, where that is set: a bucket that holds a second's worth and leaks evenly. */
const BUCKET_MS = 1_000;

export class RateLimit {
  readonly #msPerUser: number;
  /** How much of the bucket is full, in the time that it takes to leak, at `#atMs`. */
  #fullMs = 0;
  #atMs = 0;

  /** `usersPerSecond`: above 0. */
  constructor(usersPerSecond: number) {
    this.#msPerUser = 1_000 / usersPerSecond;
  }

  /** Whether a request for so many users may be answered now; one is taken whole while there is any room. `nowMs` never goes back. */
  tryTake(users: number, nowMs: number): boolean {
    this.#fullMs = Math.max(0, this.#fullMs - (nowMs - this.#atMs));
    this.#atMs = nowMs;
    if (this.#fullMs >= BUCKET_MS) return false;
    this.#fullMs += users * this.#msPerUser;
    return true;
  }
}
