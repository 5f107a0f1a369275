/** Runs the gateway as its parent does, for tests: a child process over a data folder of its own. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch, type RequestInit, type Response } from 'undici';
import { findFreePort } from '../../../cli/ports.js';
import { openEmbeddedEventBus } from '../../../events/embedded/embedded-event-bus.js';
import type { EventBus } from '../../../events/event-bus.js';
import { startHeartbeat } from '../../../events/heartbeat.js';
import { openEmbeddedMembershipStore } from '../../../stores/embedded/embedded-membership-store.js';
import { openEmbeddedRealtimeTagStore } from '../../../stores/embedded/embedded-realtime-tag-store.js';
import type { MembershipStore } from '../../../stores/membership-store.js';
import type { RealtimeTagStore } from '../../../stores/realtime-tag-store.js';
import { crowdRule } from '../../support/crowd-rule.js';
import { until } from '../../support/until.js';

const MAIN = path.resolve(import.meta.dirname, '..', '..', '..', 'gateway', 'main.js');
const READY_WITHIN_MS = 30_000;

/** A data folder with its stores and bus, as the platform has them open. */
export class DataFolder {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'quanren-gateway-'));
  readonly memberships: MembershipStore;
  readonly tags: RealtimeTagStore;
  readonly bus: EventBus;
  #stopBeats: (() => Promise<void>) | undefined;

  constructor() {
    const store = path.join(this.folder, 'store');
    mkdirSync(store);
    this.memberships = openEmbeddedMembershipStore(store);
    this.tags = openEmbeddedRealtimeTagStore(store);
    this.bus = openEmbeddedEventBus(path.join(this.folder, 'bus'));
  }

  startBeats(everyMs = 200): void {
    this.#stopBeats = startHeartbeat(this.bus, { everyMs, onError: () => {} });
  }

  async stopBeats(): Promise<void> {
    await this.#stopBeats?.();
    this.#stopBeats = undefined;
  }

  async setCrowd(crowdCode: string, status: 'active' | 'paused'): Promise<void> {
    await this.bus.publish('crowd-rules', [crowdRule(crowdCode, status)]);
  }

  /** To the store, and then to the stream, as every writer does. */
  async change(
    uid: string,
    crowdCode: string,
    kind: 'enter' | 'leave',
    changeTimeMs = Date.now(),
  ): Promise<void> {
    const change = { uid, crowdCode, kind, changeTimeMs };
    await this.memberships.apply([change], Date.now());
    await this.bus.publish('membership-changes', [
      { key: uid, value: { type: 'membership-changed', ...change } },
    ]);
  }

  async remove(): Promise<void> {
    await this.stopBeats();
    await Promise.all([this.memberships.close(), this.tags.close(), this.bus.close()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

type Outcome = { ready: { url: string } } | { failed: string };

/** What a child says last of its start, after its `{progress}`. */
function outcomeOf(child: ChildProcess): Promise<Outcome> {
  return new Promise((resolve) => {
    child.on('message', (message: { progress: string } | Outcome) => {
      if (!('progress' in message)) resolve(message);
    });
    child.on('disconnect', () => resolve({ failed: 'it ended and said nothing' }));
  });
}

export class GatewayProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly metricsPort: number;
  /** Where it says that it serves. */
  saidUrl = '';
  output = '';

  readonly #trust: Agent | undefined;

  private constructor(child: ChildProcess, port: number, metricsPort: number, ca: string | undefined) {
    this.child = child;
    this.url = `${ca === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    this.metricsPort = metricsPort;
    this.#trust = ca === undefined ? undefined : new Agent({ connect: { ca } });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  /**
   * Resolves when it is ready. Rejects with the sentence of `{failed}`. With a certificate to trust (PEM) it is asked
   * over TLS.
   */
  static async start(
    data: Pick<DataFolder, 'folder'>,
    environment: Record<string, string> = {},
    ca?: string,
  ): Promise<GatewayProcess> {
    const port = Number(environment.QUANREN_GATEWAY_PORT ?? (await findFreePort()));
    const metricsPort = await findFreePort();
    const child = fork(MAIN, [], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        PATH: process.env.PATH,
        QUANREN_DATA_DIR: data.folder,
        QUANREN_GATEWAY_PORT: String(port),
        QUANREN_GATEWAY_METRICS_PORT: String(metricsPort),
        QUANREN_GATEWAY_WORKERS: '2',
        QUANREN_GATEWAY_CACHE_ENTRIES: '10000',
        ...environment,
      },
    });
    const gateway = new GatewayProcess(child, port, metricsPort, ca);
    const said = await Promise.race([
      outcomeOf(child),
      sleep(READY_WITHIN_MS, { failed: 'it said nothing' }, { ref: false }),
    ]);
    if ('failed' in said) {
      child.kill('SIGKILL');
      throw new Error(`${said.failed}`);
    }
    gateway.saidUrl = said.ready.url;
    return gateway;
  }

  /** Waits until the catalog is loaded, too. */
  async ready(): Promise<this> {
    await until('readyz', async () => (await this.get('/readyz')).status === 200);
    return this;
  }

  get(target: string, init: RequestInit = {}): Promise<Response> {
    const dispatcher = this.#trust === undefined ? {} : { dispatcher: this.#trust };
    return fetch(this.url + target, { signal: AbortSignal.timeout(10_000), ...dispatcher, ...init });
  }

  async json(target: string): Promise<Record<string, unknown>> {
    return (await (await this.get(target)).json()) as Record<string, unknown>;
  }

  /** The value of a series of /metrics as it is written there, with its labels. */
  async metric(series: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? Number.NaN : Number(line.slice(series.length + 1));
  }

  /** The pids of its workers. */
  workers(): number[] {
    // It fails where there is none.
    const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(this.child.pid)], {
      encoding: 'utf8',
    });
    return Array.from(stdout.matchAll(/\d+/g), ([pid]) => Number(pid));
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const force = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(force);
    await this.#trust?.destroy();
  }
}
