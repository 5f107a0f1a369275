/**
 * Open-loop load whose every answer is judged: requests leave at random times (Poisson) of a stated rate, whether or not
 * earlier ones were answered. They are for users of three kinds: those who are asked for all the time and never change
 * (*steady*, so cached), those who change all the time, and those whom nobody asked for before (*new*, so read from the
 * store).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../differential/random.js';
import { RawHttpClient, type RawReply } from '../support/raw-http-client.js';
import type { Truth } from './truth.js';

export interface LoadOptions {
  /** Of the gateways, each asked alike. */
  readonly ports: readonly number[];
  readonly perSecond: number;
  readonly crowdCode: string;
  readonly steadyUids: readonly string[];
  readonly changingUids: readonly string[];
  readonly random: Random;
  readonly truth: Truth;
}

export type Kind = 'steady' | 'changing' | 'new';
/** Of ten requests, which are for whom. */
const TURNS: readonly Kind[] = [...Array<Kind>(7).fill('steady'), 'changing', 'changing', 'new'];

export type Outcome = 'fresh' | 'stale' | 'refused' | 'failed' | 'wrong' | 'unsent';

export interface Observation {
  /** Epoch milliseconds when the request was due. */
  readonly atMs: number;
  readonly tookMs: number;
  readonly kind: Kind;
  /** Which gateway was asked: 0 … */
  readonly gateway: number;
  readonly outcome: Outcome;
  /** Of those that are wrong or failed: what came, and what was true. */
  readonly detail?: string;
}

/** No answer for so long is none: far more than any deadline of the gateway's. */
const PATIENCE_MS = 3_000;
/** To each gateway; what finds all of them waiting is not sent, which counts as a failure of whoever lets them wait. */
const MAX_CONNECTIONS = 256;
const RECONNECT_MS = 20;
/** What was due while this process itself did not run for longer is not sent: all at once it would be another load. */
const MAX_LATE_MS = 200;
/** Then a connection makes room for another, which may come to another worker: so that one which is new gets its share. */
const REQUESTS_PER_CONNECTION = 20;

/** Connections to one gateway. */
class Pool {
  readonly #port: number;
  readonly #random: Random;
  readonly #idle: RawHttpClient[] = [];
  readonly #served = new WeakMap<RawHttpClient, number>();
  #open = 0;

  constructor(port: number, random: Random) {
    this.#port = port;
    this.#random = random;
  }

  async ask(target: string): Promise<RawReply | undefined> {
    let client = this.#takeIdle();
    while (client?.isOpen === false) {
      this.#open -= 1;
      client = this.#takeIdle();
    }
    if (client === undefined) {
      if (this.#open >= MAX_CONNECTIONS) return undefined;
      this.#open += 1;
      try {
        client = await RawHttpClient.connect(this.#port);
      } catch (error) {
        // It holds its place for a moment, so that a gateway that is gone is not run over.
        await sleep(RECONNECT_MS);
        this.#open -= 1;
        throw error;
      }
    }
    const patience = setTimeout(() => client.destroy(), PATIENCE_MS);
    try {
      const reply = await client.get(target);
      const served = (this.#served.get(client) ?? 0) + 1;
      this.#served.set(client, served);
      if (served < REQUESTS_PER_CONNECTION) this.#idle.push(client);
      else {
        this.#open -= 1;
        client.destroy();
      }
      return reply;
    } catch (error) {
      this.#open -= 1;
      throw error;
    } finally {
      clearTimeout(patience);
    }
  }

  /** Any of them: those of one worker that answered last must not get all that comes next. */
  #takeIdle(): RawHttpClient | undefined {
    const last = this.#idle.pop();
    if (last === undefined || this.#idle.length === 0) return last;
    const place = this.#random.int(this.#idle.length + 1);
    const taken = this.#idle[place] ?? last;
    if (place < this.#idle.length) this.#idle[place] = last;
    return taken;
  }

  close(): void {
    for (const client of this.#idle) client.destroy();
  }
}

export class Load {
  readonly #options: LoadOptions;
  readonly #pools: readonly Pool[];
  readonly #underWay = new Set<Promise<void>>();
  readonly observations: Observation[] = [];
  #isOver = false;
  #newUids = 0;
  #loop = Promise.resolve();

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#pools = options.ports.map((port) => new Pool(port, options.random));
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Resolves when every request has ended. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
    await Promise.all(this.#underWay);
    for (const pool of this.#pools) pool.close();
  }

  async #run(): Promise<void> {
    const { random, perSecond } = this.#options;
    let dueMs = Date.now();
    while (!this.#isOver) {
      while (dueMs > Date.now()) await sleep(1);
      dueMs = Math.max(dueMs, Date.now() - MAX_LATE_MS);
      const asked = this.#ask(dueMs);
      this.#underWay.add(asked);
      void asked.finally(() => this.#underWay.delete(asked));
      dueMs += (-Math.log(1 - random.next() / 2 ** 32) * 1_000) / perSecond;
    }
  }

  async #ask(dueMs: number): Promise<void> {
    const { random, steadyUids, changingUids, crowdCode } = this.#options;
    const kind = random.pick(TURNS);
    const uid =
      kind === 'new'
        ? `new-${dueMs.toString(36)}-${this.#newUids++}`
        : random.pick(kind === 'steady' ? steadyUids : changingUids);
    const askedAtMs = Date.now();
    const startedMs = performance.now();
    let judged: { outcome: Outcome; detail?: string };
    const gateway = random.int(this.#pools.length);
    try {
      const reply = await this.#pools[gateway]?.ask(`/match?uid=${uid}&crowdCode=${crowdCode}`);
      judged = reply === undefined ? { outcome: 'unsent' } : this.#judge(uid, reply, askedAtMs);
    } catch (error) {
      const tookMs = Math.round(performance.now() - startedMs);
      judged = { outcome: 'failed', detail: `${kind} at gateway ${gateway}, after ${tookMs} ms: ${error}` };
    }
    this.observations.push({
      atMs: askedAtMs,
      tookMs: performance.now() - startedMs,
      kind,
      gateway,
      ...judged,
    });
  }

  #judge(
    uid: string,
    { status, head, body }: RawReply,
    askedAtMs: number,
  ): { outcome: Outcome; detail?: string } {
    if (status === 503 && /\nretry-after: \d/i.test(head)) return { outcome: 'refused', detail: body };
    if (status !== 200) return { outcome: 'failed', detail: `${status} ${body}` };
    const {
      isMatch,
      status: freshness,
      asOf,
    } = JSON.parse(body) as {
      isMatch: boolean;
      status: 'fresh' | 'stale';
      asOf?: string;
    };
    const answer = { isMatch, asOf: freshness === 'fresh' ? freshness : Date.parse(asOf ?? '') };
    const { truth } = this.#options;
    if (truth.isRight(uid, answer, askedAtMs)) return { outcome: freshness };
    return { outcome: 'wrong', detail: `${uid} at ${askedAtMs}: ${body}; true was ${truth.history(uid)}` };
  }
}
