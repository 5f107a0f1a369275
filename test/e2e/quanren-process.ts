/** `quanren` as a person runs it: real processes over a data folder and ports of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../../cli/ports.js';

const COMMAND = path.resolve(import.meta.dirname, '..', '..', '..', 'scripts', 'quanren.mjs');
const START_WITHIN_MS = 45_000;
const COMMAND_WITHIN_MS = 40_000;
const ASK_WITHIN_MS = 10_000;

/** Waits until `look` gives something; what it throws meanwhile is told if nothing comes in time. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  withinMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`, { cause: last });
    await sleep(20);
  }
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One run of the command. */
export class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], environment: Readonly<Record<string, string>>) {
    const child = spawn(process.execPath, [COMMAND, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    });
    this.child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = once(child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  /** What it says in all, once it has ended; one that takes longer is killed. */
  async end(withinMs = COMMAND_WITHIN_MS): Promise<Ended> {
    const force = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    try {
      return await this.ended;
    } finally {
      clearTimeout(force);
    }
  }
}

export interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly json: Record<string, unknown>;
}

export class Quanren {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'quanren-e2e-'));
  readonly environment: Readonly<Record<string, string>>;
  readonly gatewayUrl: string;
  readonly platformUrl: string;
  readonly #metricsUrl: string;

  private constructor([gateway, metrics, platform, postgres]: readonly number[], workers: number) {
    this.environment = {
      QUANREN_DATA_DIR: this.folder,
      QUANREN_GATEWAY_PORT: `${gateway}`,
      QUANREN_GATEWAY_METRICS_PORT: `${metrics}`,
      QUANREN_PLATFORM_PORT: `${platform}`,
      QUANREN_POSTGRES_PORT: `${postgres}`,
      QUANREN_GATEWAY_WORKERS: `${workers}`,
      QUANREN_GATEWAY_CACHE_ENTRIES: '10000',
      // The crowds' own schedule must not run them in the middle of a test.
      QUANREN_SCHEDULE: 'false',
    };
    this.gatewayUrl = `http://127.0.0.1:${gateway}`;
    this.platformUrl = `http://127.0.0.1:${platform}`;
    this.#metricsUrl = `http://127.0.0.1:${metrics}/metrics`;
  }

  static async create(workers: number): Promise<Quanren> {
    const ports = [];
    while (ports.length < 4) ports.push(await findFreePort());
    return new Quanren(ports, workers);
  }

  command(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Command {
    return new Command(args, { ...this.environment, ...environment });
  }

  /** `quanren start`, once it says that it is up. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<Command> {
    const started = this.command(['start'], environment);
    await until(
      'quanren start',
      async () => {
        if (started.stdout.includes('Ctrl-C stops it.')) return true;
        return started.child.exitCode === null ? undefined : false;
      },
      START_WITHIN_MS,
    ).then((isUp) => {
      if (!isUp) throw new Error(`quanren start ended: ${started.stdout}${started.stderr}`);
    });
    return started;
  }

  /** Asks for a URL, or for a path of the platform's API. */
  async ask(target: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(new URL(target, this.platformUrl), {
      signal: AbortSignal.timeout(ASK_WITHIN_MS),
      ...init,
    });
    const json = (await response.json()) as Record<string, unknown>;
    return { status: response.status, etag: response.headers.get('etag'), json };
  }

  post(target: string, body: unknown = null, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send('POST', target, body, headers);
  }

  put(target: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send('PUT', target, body, headers);
  }

  #send(method: string, target: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
    return this.ask(target, {
      method,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
  }

  /** One question to the gateway over a connection of its own, so that any of the workers may get it. */
  match(query: string): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const agent = new Agent({ keepAlive: false });
      const request = get(
        `${this.gatewayUrl}/match?${query}`,
        { agent, timeout: ASK_WITHIN_MS },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          response.on('error', reject);
          response.on('end', () => {
            if (response.statusCode === 200) resolve(JSON.parse(text) as Record<string, unknown>);
            else reject(new Error(`${response.statusCode}: ${text}`));
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject);
    });
  }

  async metrics(): Promise<string> {
    const response = await fetch(this.#metricsUrl, { signal: AbortSignal.timeout(ASK_WITHIN_MS) });
    return response.text();
  }

  /** The users in each worker's cache, by worker. */
  async cachedUsers(): Promise<ReadonlyMap<string, number>> {
    const series = (await this.metrics()).matchAll(
      /^quanren_gateway_cache_entries\{worker="(\d+)"\} (\d+)$/gm,
    );
    return new Map(Array.from(series, ([, worker = '', count]) => [worker, Number(count)]));
  }

  /** Every live process that belongs to the data folder, by pid: its command line (Linux). */
  processes(): ReadonlyMap<number, string> {
    const found = new Map<number, string>();
    for (const pid of readdirSync('/proc').map(Number)) {
      if (!Number.isInteger(pid) || pid === process.pid) continue;
      const commandLine = readOrEmpty(() =>
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '),
      );
      const environment = readOrEmpty(() => readFileSync(`/proc/${pid}/environ`, 'utf8'));
      // Postgres's own processes overwrite both, and stay in the cluster's folder.
      const workingFolder = readOrEmpty(() => readlinkSync(`/proc/${pid}/cwd`));
      if (`${commandLine}\n${environment}\n${workingFolder}`.includes(this.folder))
        found.set(pid, commandLine);
    }
    return found;
  }

  /** The pids of the processes whose command line has this in it, the lowest first. */
  pidsOf(part: string): number[] {
    return [...this.processes()].filter(([, line]) => line.includes(part)).map(([pid]) => pid);
  }

  /** Kills whatever is left and removes the folder. */
  async remove(): Promise<void> {
    await until('everything is killed', async () => {
      const left = [...this.processes().keys()];
      for (const pid of left) readOrEmpty(() => String(process.kill(pid, 'SIGKILL')));
      return left.length === 0 ? true : undefined;
    });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A process that has just ended has nothing to read. */
function readOrEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
