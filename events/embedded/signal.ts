/** A wake-up that is never missed: a notice given while nobody waits ends the next wait at once. */
export class Signal {
  #noticed = false;
  #wake: (() => void) | undefined;

  notify(): void {
    this.#noticed = true;
    this.#wake?.();
  }

  /** Resolves at the first notice since the last wait ended, and after `atMostMs` at the latest. */
  async wait(atMostMs: number): Promise<void> {
    if (!this.#noticed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, atMostMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#noticed = false;
  }
}
