/**
 * The proxies between the gateways and their back ends, in a process of their own: what passes must wait for nothing but the
 * weather, least of all for whoever asks the gateways and judges their answers.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Weather } from './fault-proxy.js';

/** By back end, the ports it has on 127.0.0.1, and the proxies on `host`. */
export interface NetworkPlan {
  readonly host: string;
  readonly ports: Readonly<Record<string, readonly number[]>>;
}

export interface WeatherOrder {
  readonly about: string;
  readonly weather: Weather;
}

const PROGRAM = path.join(import.meta.dirname, 'bad-network-process.js');

export class BadNetwork {
  readonly #child: ChildProcess;

  /** Resolves when every proxy listens. */
  static async start(plan: NetworkPlan): Promise<BadNetwork> {
    const child = fork(PROGRAM, [JSON.stringify(plan)]);
    await once(child, 'message', { signal: AbortSignal.timeout(10_000) });
    return new BadNetwork(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** To and from one back end, from when this resolves on. */
  async turn(about: string, weather: Weather): Promise<void> {
    const turned = once(this.#child, 'message', { signal: AbortSignal.timeout(10_000) });
    this.#child.send({ about, weather } satisfies WeatherOrder);
    await turned;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}
