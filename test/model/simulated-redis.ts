/**
 * A shared cache in memory, as a server and connections to it, whose every step is a choice of the schedule: when a command
 * reaches the server, when its answer arrives, when it is given up. It does what `cache/shared-cache.ts` promises, and
 * passes its contract.
 */
import type {
  ServerLook,
  SharedCache,
  SharedFill,
  SharedRead,
  Trust,
} from '../../gateway/cache/shared-cache.js';

interface Entry {
  readonly leasedAtMs: number;
  readonly endsAtMs: number;
  readonly token: string;
  readonly codes?: readonly string[];
}

/** What a deliberate bug changes in the server or its client; see mutations.ts. */
export interface CacheBugs {
  readonly fillsWithoutLease?: boolean;
  readonly believesOldLeases?: boolean;
  readonly believesAnyServer?: boolean;
}

export class SimulatedServer {
  readonly id: string;
  readonly entries: Map<string, Entry>;
  readonly #now: () => number;
  readonly #bugs: CacheBugs;
  /** Its clock, before or behind the world's. */
  offsetMs: number;
  isUp = true;

  constructor(
    id: string,
    options: { now: () => number; bugs: CacheBugs },
    entries: ReadonlyMap<string, Entry> = new Map(),
    offsetMs = 0,
  ) {
    this.id = id;
    this.#now = options.now;
    this.#bugs = options.bugs;
    this.entries = new Map(entries);
    this.offsetMs = offsetMs;
  }

  get timeMs(): number {
    return this.#now() + this.offsetMs;
  }

  read(uid: string, newToken: string, sinceMs: number, ttlMs: number): SharedRead {
    const entry = this.#find(uid);
    const isBelieved =
      entry !== undefined &&
      entry.leasedAtMs <= this.timeMs &&
      (entry.leasedAtMs >= sinceMs || this.#bugs.believesOldLeases === true);
    if (isBelieved) {
      const ageMs = this.timeMs - entry.leasedAtMs;
      return entry.codes === undefined
        ? { kind: 'lease', token: entry.token }
        : { kind: 'value', codes: entry.codes, ageMs };
    }
    const leasedAtMs = this.timeMs;
    this.entries.set(uid, { leasedAtMs, endsAtMs: leasedAtMs + ttlMs, token: newToken });
    return { kind: 'lease', token: newToken };
  }

  /** Whether it was kept. */
  fill({ uid, token, codes }: SharedFill): boolean {
    const entry = this.#find(uid);
    if (this.#bugs.fillsWithoutLease === true) {
      const leasedAtMs = entry?.leasedAtMs ?? this.timeMs;
      this.entries.set(uid, {
        leasedAtMs,
        endsAtMs: entry?.endsAtMs ?? Number.POSITIVE_INFINITY,
        token,
        codes,
      });
      return true;
    }
    if (entry === undefined || entry.codes !== undefined || entry.token !== token) return false;
    this.entries.set(uid, { ...entry, codes });
    return true;
  }

  invalidate(uid: string): void {
    this.entries.delete(uid);
  }

  #find(uid: string): Entry | undefined {
    const entry = this.entries.get(uid);
    // The time that Redis ends a key at is one of its clock, too.
    return entry !== undefined && this.timeMs < entry.endsAtMs ? entry : undefined;
  }
}

interface Command {
  readonly server: SimulatedServer;
  /** What the server does, and then what its answer does here. */
  readonly execute: () => () => void;
  readonly giveUp: () => void;
  /** Milliseconds of the world. */
  readonly deadlineMs: number;
}

export interface SimulatedConnectionOptions {
  readonly newToken: () => string;
  /** How long what it leases lives. */
  readonly ttlMs: number;
  readonly now: () => number;
  readonly timeoutMs: number;
  readonly bugs: CacheBugs;
  readonly onFill?: (wasKept: boolean) => void;
}

/** One process's connection: commands are carried out in order, and answered in order. */
export class SimulatedConnection implements SharedCache {
  readonly #options: SimulatedConnectionOptions;
  #server: SimulatedServer;
  readonly #commands: Command[] = [];
  readonly #answers: { readonly command: Command; readonly arrive: () => void }[] = [];
  #isClosed = false;

  constructor(server: SimulatedServer, options: SimulatedConnectionOptions) {
    this.#server = server;
    this.#options = options;
  }

  get server(): SimulatedServer {
    return this.#server;
  }

  get isBusy(): boolean {
    return this.#commands.length > 0 || this.#answers.length > 0;
  }

  read(uids: readonly string[], trust: Trust): Promise<readonly SharedRead[]> {
    const none = uids.map((): SharedRead => ({ kind: 'none' }));
    const { newToken, ttlMs } = this.#options;
    return this.#send(none, trust, (server) =>
      uids.map((uid) => server.read(uid, newToken(), trust.sinceMs, ttlMs)),
    );
  }

  fill(fills: readonly SharedFill[], trust: Trust): Promise<void> {
    return this.#send(undefined, trust, (server) => {
      for (const fill of fills) {
        const wasKept = server.fill(fill);
        this.#options.onFill?.(wasKept);
      }
    });
  }

  invalidate(uids: readonly string[], trust: Trust): Promise<boolean> {
    return this.#send(false, trust, (server) => {
      for (const uid of uids) server.invalidate(uid);
      return true;
    });
  }

  look(): Promise<ServerLook | undefined> {
    return this.#send<ServerLook | undefined>(undefined, undefined, (server) => ({
      server: server.id,
      timeMs: server.timeMs + 1,
    }));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.breakOff(false);
    return Promise.resolve();
  }

  /** Carries out the oldest command that is under way, or brings its answer. */
  proceed(): void {
    const answer = this.#answers.shift();
    if (answer !== undefined) {
      answer.arrive();
      return;
    }
    const command = this.#commands.shift();
    if (command === undefined) return;
    if (!command.server.isUp) command.giveUp();
    else this.#answers.push({ command, arrive: command.execute() });
  }

  /** Gives up what has taken too long; what was sent may still be carried out. */
  expire(nowMs: number): void {
    for (const command of this.#commands) if (command.deadlineMs <= nowMs) command.giveUp();
    for (const { command } of this.#answers) if (command.deadlineMs <= nowMs) command.giveUp();
  }

  /** The connection is lost: nobody hears answers; what was sent and has not arrived may still be carried out, or never. */
  breakOff(isSentLost: boolean): void {
    for (const { command } of this.#answers.splice(0)) command.giveUp();
    for (const command of this.#commands) command.giveUp();
    if (isSentLost) this.#commands.length = 0;
  }

  reconnect(server: SimulatedServer): void {
    this.breakOff(true);
    this.#server = server;
  }

  #send<T>(away: T, trust: Trust | undefined, run: (server: SimulatedServer) => T): Promise<T> {
    const server = this.#server;
    const { now, timeoutMs, bugs } = this.#options;
    const isTrusted = trust === undefined || trust.server === server.id || bugs.believesAnyServer === true;
    if (this.#isClosed || !server.isUp || !isTrusted) return Promise.resolve(away);
    return new Promise((resolve) => {
      this.#commands.push({
        server,
        execute: () => {
          const answer = run(server);
          return () => resolve(answer);
        },
        giveUp: () => resolve(away),
        deadlineMs: now() + timeoutMs,
      });
    });
  }
}

/** Whose commands are all carried out, and answered, at once. */
export class PromptConnection extends SimulatedConnection {
  #prompt<T>(answer: Promise<T>): Promise<T> {
    while (this.isBusy) this.proceed();
    return answer;
  }
  override read(...args: Parameters<SharedCache['read']>) {
    return this.#prompt(super.read(...args));
  }
  override fill(...args: Parameters<SharedCache['fill']>) {
    return this.#prompt(super.fill(...args));
  }
  override invalidate(...args: Parameters<SharedCache['invalidate']>) {
    return this.#prompt(super.invalidate(...args));
  }
  override look() {
    return this.#prompt(super.look());
  }
}
