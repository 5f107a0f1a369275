/**
 * The cache that gateways share, in Redis. Keys are `quanren:{<instance>:<bucket>}:<uid>`: what the braces hold decides the
 * slot in a cluster, so uids of one bucket can be asked for by one script. One server takes them all at once.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ServerLook, SharedCache, SharedFill, SharedRead, Trust } from '../shared-cache.js';
import { decodeEntry, encodeCodes, tokenBytes } from './entry.js';
import { RedisClient } from './redis-client.js';
import type { RedisLocation } from './redis-location.js';
import { FILL, INVALIDATE, READ } from './scripts.js';

export interface RedisSharedCacheOptions {
  readonly location: RedisLocation;
  /** How long an entry lives. */
  readonly ttlMs: number;
  /** What a call may cost its caller. */
  readonly commandTimeoutMs: number;
  /** Why Redis is away; undefined when it is back. Each state once. Never holds a password. */
  readonly onChange: (reason: string | undefined) => void;
}

/** A power of 2. More spread better over a cluster's masters, and make more and smaller scripts. */
const BUCKETS = 64;
const SEED_BYTES = 14;
const AWAY: SharedRead = { kind: 'none' };

export interface RedisCache extends SharedCache {
  /** It cannot be reached, or is too slow: every call is answered without it. */
  readonly isAway: boolean;
}

/** Throws `set_up`. Connects in the background; until then the cache is away. */
export function openRedisSharedCache(options: RedisSharedCacheOptions): RedisCache {
  return new RedisSharedCache(options);
}

class RedisSharedCache implements RedisCache {
  readonly #client: RedisClient;
  readonly #prefixes: readonly string[];
  readonly #isCluster: boolean;
  readonly #ttlMs: number;

  constructor({ location, ttlMs, commandTimeoutMs, onChange }: RedisSharedCacheOptions) {
    this.#client = new RedisClient({ location, timeoutMs: commandTimeoutMs, onChange });
    const { instance } = location;
    this.#prefixes = Array.from({ length: BUCKETS }, (_, bucket) => `quanren:{${instance}:${bucket}}:`);
    this.#isCluster = location.kind === 'cluster';
    this.#ttlMs = ttlMs;
  }

  get isAway(): boolean {
    return this.#client.isAway;
  }

  async read(uids: readonly string[], { server, sinceMs }: Trust): Promise<readonly SharedRead[]> {
    if (this.#client.isAway) return uids.map(() => AWAY);
    const reads = new Map<string, SharedRead>();
    const damaged: string[] = [];
    await Promise.all(
      this.#groups([...new Set(uids)], (uid) => uid).map(async (group) => {
        const keys = group.map((uid) => this.#key(uid));
        const answer = await this.#run(READ, keys, [server, sinceMs, this.#ttlMs, randomBytes(SEED_BYTES)]);
        if (answer === undefined) return;
        const [nowMs, entries] = answer as [number, (Buffer | null)[]];
        for (const [i, uid] of group.entries()) {
          const bytes = entries[i] ?? null;
          if (bytes === null) continue;
          const entry = decodeEntry(uid, bytes);
          if (entry === undefined) damaged.push(uid);
          else if (entry.kind === 'lease') reads.set(uid, entry);
          else reads.set(uid, { kind: 'value', codes: entry.codes, ageMs: nowMs - entry.leasedAtMs });
        }
      }),
    );
    // Whoever asks next gets a lease.
    if (damaged.length > 0) void this.invalidate(damaged, { server, sinceMs });
    return uids.map((uid) => reads.get(uid) ?? AWAY);
  }

  async fill(fills: readonly SharedFill[], { server }: Trust): Promise<void> {
    if (this.#client.isAway) return;
    await Promise.all(
      this.#groups(fills, ({ uid }) => uid).map((group) =>
        this.#run(
          FILL,
          group.map(({ uid }) => this.#key(uid)),
          [server, ...group.flatMap(({ uid, token, codes }) => [tokenBytes(token), encodeCodes(uid, codes)])],
        ),
      ),
    );
  }

  async invalidate(uids: readonly string[], { server }: Trust): Promise<boolean> {
    if (this.#client.isAway) return false;
    const answers = await Promise.all(
      this.#groups([...new Set(uids)], (uid) => uid).map((group) =>
        this.#run(
          INVALIDATE,
          group.map((uid) => this.#key(uid)),
          [server],
        ),
      ),
    );
    return answers.every((answer) => answer === 1);
  }

  async look(): Promise<ServerLook | undefined> {
    if (this.#client.isAway) return undefined;
    try {
      const masters = await this.#client.look();
      const ids = masters.map(({ id }) => id).sort();
      return { server: ids.join(), timeMs: Math.max(...masters.map(({ timeMs }) => timeMs)) + 1 };
    } catch {
      return undefined;
    }
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  /** undefined: nothing was done, or it is not known; a server that is not trusted answers nil. */
  async #run(...[script, keys, args]: Parameters<RedisClient['run']>): Promise<unknown> {
    try {
      return (await this.#client.run(script, keys, args)) ?? undefined;
    } catch {
      return undefined;
    }
  }

  #key(uid: string): string {
    return this.#prefixes[bucketOf(uid)] + uid;
  }

  /** What one script can be asked for at once. */
  #groups<T>(items: readonly T[], uidOf: (item: T) => string): (readonly T[])[] {
    if (items.length === 0) return [];
    if (!this.#isCluster) return [items];
    const groups = new Map<number, T[]>();
    for (const item of items) {
      const bucket = bucketOf(uidOf(item));
      const group = groups.get(bucket);
      if (group === undefined) groups.set(bucket, [item]);
      else group.push(item);
    }
    return [...groups.values()];
  }
}

/** Of the uid's UTF-8 bytes. All gateways must agree on it. */
function bucketOf(uid: string): number {
  return crc32(uid) & (BUCKETS - 1);
}
