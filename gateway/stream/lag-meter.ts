/** How far the gateway is behind its stream: asked now and then, since the bus may take long to say, or not say it. */

const ASK_EVERY_MS = 5_000;

export class LagMeter {
  readonly #ask: () => Promise<number>;
  readonly #timer: NodeJS.Timeout;
  #isAsking = false;
  #messages: number | undefined;

  constructor(ask: () => Promise<number>, everyMs = ASK_EVERY_MS) {
    this.#ask = ask;
    this.#timer = setInterval(() => void this.#measure(), everyMs);
  }

  /** As of the last answer; undefined before the first one, and where the last question had none. */
  get messages(): number | undefined {
    return this.#messages;
  }

  async #measure(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.#messages = await this.#ask();
    } catch {
      this.#messages = undefined;
    } finally {
      this.#isAsking = false;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
