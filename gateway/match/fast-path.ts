/**
 * The reply of a cached user, without a promise, without JSON, and with next to nothing allocated; and of a user that
 * the store can read at once.
 *
 * It takes the one form that programs send: `uid=` first, then nothing or `&crowdCode=` and a known, active crowd, the
 * uid in plain characters. One pass over the uid hashes it and copies it to its place in the reply; the tail comes from
 * the cache. Anything else (encodings, other parameters, mistakes, slow stores, stale times) is for the long way, which gives
 * the same bytes for what this takes (tested).
 */
import type { CrowdSet } from '../cache/crowd-sets.js';
import { MAX_CACHED_UID_BYTES, type MembershipCache } from '../cache/membership-cache.js';
import { finishHash, HASH_START, hashByte } from '../cache/uid-hash.js';
import type { WorkerStats } from '../metrics/worker-stats.js';
import type { ImmediateReader } from '../read/immediate-reader.js';
import type { Admission } from '../read/load-shedder.js';
import type { CrowdCatalog } from './crowd-catalog.js';
import { UID_START } from './replies.js';
import type { StreamClock } from './stream-clock.js';

const UID_PARAMETER = 'uid=';
const CROWD_PARAMETER = '&crowdCode=';
const AMPERSAND = 38;
/** Longer replies go the long way. */
const MAX_REPLY_BYTES = 16_384;

/** 1 for ASCII that means itself both in a query and in JSON: no `%`, `+`, `&`, `#`, `"`, `\` and no control. */
const PLAIN = Uint8Array.from({ length: 128 }, (_, code) =>
  /[A-Za-z0-9\-._~:@/!$'()*,;=|]/.test(String.fromCharCode(code)) ? 1 : 0,
);

/** A request of that form whose user must be read; the shedder has admitted it. */
export interface PlainMiss {
  readonly uid: string;
  readonly hash: number;
  /** Of a crowd that is known and active. */
  readonly crowdCode: string | undefined;
}

export interface FastPathOptions {
  readonly cache: MembershipCache;
  readonly catalog: CrowdCatalog;
  readonly clock: StreamClock;
  readonly stats: WorkerStats;
  readonly shedder: Admission;
  /** Where the store can be read at once. */
  readonly reader?: ImmediateReader | undefined;
}

export class FastPath {
  readonly #cache: MembershipCache;
  readonly #catalog: CrowdCatalog;
  readonly #clock: StreamClock;
  readonly #stats: WorkerStats;
  readonly #shedder: Admission;
  readonly #reader: ImmediateReader | undefined;
  readonly #memory = new ArrayBuffer(MAX_REPLY_BYTES);
  readonly #reply = new Uint8Array(this.#memory);
  /** Where `answer` gave none last, and only the user was missing. */
  missed: PlainMiss | undefined;
  /** By length, the view of the reply's first bytes: a view costs more to make than a reply. */
  readonly #views: Uint8Array[] = [];

  constructor({ cache, catalog, clock, stats, shedder, reader }: FastPathOptions) {
    this.#cache = cache;
    this.#catalog = catalog;
    this.#clock = clock;
    this.#stats = stats;
    this.#shedder = shedder;
    this.#reader = reader;
    this.#reply.set(Buffer.from(UID_START));
    for (let length = 0; length <= MAX_REPLY_BYTES; length++) {
      this.#views.push(new Uint8Array(this.#memory, 0, length));
    }
  }

  /**
   * The reply to `query`, valid until the next call; `behind` where the user would have to be read and there is too much to
   * do for that; undefined where the long way must be taken.
   */
  answer(query: string, nowMs: number): Uint8Array | 'behind' | undefined {
    this.missed = undefined;
    if (!this.#clock.isFresh(nowMs) || !query.startsWith(UID_PARAMETER)) return undefined;
    const reply = this.#reply;
    const from = UID_START.length;
    const longest = from + MAX_CACHED_UID_BYTES;
    let to = from;
    let hash = HASH_START;
    let i = UID_PARAMETER.length;
    for (; i < query.length; i++) {
      const code = query.charCodeAt(i);
      if (code === AMPERSAND) break;
      if (to === longest || PLAIN[code] !== 1) return undefined;
      reply[to++] = code;
      hash = hashByte(hash, code);
    }
    let crowd: ReturnType<CrowdCatalog['get']>;
    if (i < query.length) {
      if (!query.startsWith(CROWD_PARAMETER, i)) return undefined;
      crowd = this.#catalog.get(query.slice(i + CROWD_PARAMETER.length));
      if (crowd?.status !== 'active') return undefined;
    }
    hash = finishHash(hash);
    let set: CrowdSet | undefined = this.#cache.find(hash, reply, from, to - from, nowMs);
    const isHit = set !== undefined;
    if (set === undefined && to > from) {
      if (!this.#shedder.admits()) return 'behind';
      const uid = query.slice(UID_PARAMETER.length, UID_PARAMETER.length + to - from);
      set = this.#reader?.read(uid, hash, reply, from, to - from, nowMs);
      if (set === undefined) this.missed = { uid, hash, crowdCode: crowd?.code };
    }
    if (set === undefined) return undefined;
    let tail = set.listTail;
    if (crowd !== undefined) tail = set.codes.has(crowd.code) ? crowd.memberTail : crowd.notMemberTail;
    const end = to + tail.length;
    if (end > MAX_REPLY_BYTES) return undefined;
    reply.set(tail, to);
    if (isHit) this.#stats.countHit(set.codes.size === 0);
    else this.#stats.add('misses');
    return this.#views[end];
  }
}
