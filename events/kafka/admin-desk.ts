/** Questions to the cluster: over one kafkajs admin, made when it is first needed and anew after each failure. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Admin, Kafka } from 'kafkajs';
import { isSettling, toBusError } from './kafka-errors.js';
import { within } from './within.js';

const ANSWER_WITHIN_MS = 10_000;
const ASK_AGAIN_MS = 50;

/** What the answer is; `unavailable` or `set_up` where there is none in time. `what` names the question for people. */
export type AskAdmin = <T>(what: string, question: (admin: Admin) => Promise<T>) => Promise<T>;

export class AdminDesk {
  readonly #kafka: Kafka;
  #admin: Promise<Admin> | undefined;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  readonly ask: AskAdmin = (what, question) =>
    within(ANSWER_WITHIN_MS, what, this.#askUntilSettled(what, question));

  async #askUntilSettled<T>(what: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    const deadline = performance.now() + ANSWER_WITHIN_MS;
    for (;;) {
      this.#admin ??= this.#connect();
      const admin = this.#admin;
      try {
        return await admin.then(question);
      } catch (error) {
        // Another one asks anew where everything is.
        if (this.#admin === admin) this.#admin = undefined;
        void end(admin);
        if (!isSettling(error) || performance.now() > deadline) throw toBusError(what, error);
      }
      await delay(ASK_AGAIN_MS);
    }
  }

  async #connect(): Promise<Admin> {
    const admin = this.#kafka.admin();
    await admin.connect();
    return admin;
  }

  async close(): Promise<void> {
    if (this.#admin !== undefined)
      await within(ANSWER_WITHIN_MS, 'closing', end(this.#admin)).catch(() => undefined);
  }
}

/** An admin that failed is of no more use; how its end goes changes nothing. */
async function end(admin: Promise<Admin>): Promise<void> {
  await admin.then((connected) => connected.disconnect()).catch(() => undefined);
}
