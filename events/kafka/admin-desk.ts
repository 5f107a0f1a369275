/** Questions to the cluster: over one kafkajs admin, made when it is first needed and anew after each failure. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { OpenKafka } from './kafka-client.js';
import { isSettling, toBusError } from './kafka-errors.js';
import { within } from './within.js';

const ANSWER_WITHIN_MS = 10_000;
const ASK_AGAIN_MS = 50;
const END_WITHIN_MS = 5_000;

/** What the answer is; `unavailable` or `set_up` where there is none in time. `what` names the question for people. */
export type AskAdmin = <T>(what: string, question: (admin: Admin) => Promise<T>) => Promise<T>;

/** An admin, and how many questions are under way with it. */
interface Clerk {
  readonly admin: Promise<Admin>;
  readonly cut: AbortController;
  questions: number;
}

export class AdminDesk {
  readonly #open: OpenKafka;
  #clerk: Clerk | undefined;

  constructor(open: OpenKafka) {
    this.#open = open;
  }

  readonly ask: AskAdmin = (what, question) =>
    within(ANSWER_WITHIN_MS, what, this.#askUntilSettled(what, question));

  async #askUntilSettled<T>(what: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    const deadline = performance.now() + ANSWER_WITHIN_MS;
    for (;;) {
      this.#clerk ??= this.#findClerk();
      const clerk = this.#clerk;
      clerk.questions += 1;
      try {
        return await clerk.admin.then(question);
      } catch (error) {
        if (error instanceof QuanrenError) throw error;
        // The next one asks anew where everything is.
        if (this.#clerk === clerk) this.#clerk = undefined;
        if (!isSettling(error) || performance.now() > deadline) throw toBusError(what, error);
      } finally {
        clerk.questions -= 1;
        if (clerk.questions === 0 && this.#clerk !== clerk) void dismiss(clerk);
      }
      await delay(ASK_AGAIN_MS);
    }
  }

  #findClerk(): Clerk {
    const cut = new AbortController();
    const admin = this.#open(cut.signal).admin();
    return { admin: admin.connect().then(() => admin), cut, questions: 0 };
  }

  async close(): Promise<void> {
    const clerk = this.#clerk;
    this.#clerk = undefined;
    if (clerk !== undefined) await dismiss(clerk);
  }
}

async function dismiss({ admin, cut }: Clerk): Promise<void> {
  const ended = admin.then((connected) => connected.disconnect());
  await within(END_WITHIN_MS, 'closing', ended).catch(() => undefined);
  cut.abort();
}
