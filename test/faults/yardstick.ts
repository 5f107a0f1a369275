/** What this machine adds to a request just now, with all that runs on it: requests to a process that answers at once. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawHttpClient } from '../support/raw-http-client.js';

const EVERY_MS = 10;

export interface Delay {
  /** Epoch milliseconds when it was asked. */
  readonly atMs: number;
  readonly tookMs: number;
}

export class Yardstick {
  readonly delays: Delay[] = [];
  readonly #server: ChildProcess;
  readonly #client: RawHttpClient;
  #isOver = false;
  readonly #asking: Promise<void>;

  static async start(): Promise<Yardstick> {
    const server = fork(path.join(import.meta.dirname, 'prompt-server.js'));
    const [port] = (await once(server, 'message')) as [number];
    return new Yardstick(server, await RawHttpClient.connect(port));
  }

  private constructor(server: ChildProcess, client: RawHttpClient) {
    this.#server = server;
    this.#client = client;
    this.#asking = this.#ask();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#asking;
    this.#client.destroy();
    this.#server.kill();
  }

  async #ask(): Promise<void> {
    while (!this.#isOver) {
      const atMs = Date.now();
      const startedMs = performance.now();
      await this.#client.get('/');
      this.delays.push({ atMs, tookMs: performance.now() - startedMs });
      await sleep(EVERY_MS);
    }
  }
}
