/** The long way of a match: everything that `fast-path.ts` leaves. */
import { QuanrenError, toProblem } from '../../errors/quanren-error.js';
import type { ConcurrencyLimit } from '../../stores/concurrency-limit.js';
import type { RealtimeTagStore } from '../../stores/realtime-tag-store.js';
import { checkUid } from '../../stores/row-key.js';
import type { CrowdSet } from '../cache/crowd-sets.js';
import { MAX_CACHED_UID_BYTES, type MembershipCache } from '../cache/membership-cache.js';
import { finishHash, HASH_START, hashByte, hashBytes } from '../cache/uid-hash.js';
import type { WorkerStats } from '../metrics/worker-stats.js';
import type { ReadOutcome } from '../read/flights.js';
import type { Admission } from '../read/load-shedder.js';
import { BEHIND, type MembershipReader, OVERLOADED } from '../read/membership-reader.js';
import { readFailure } from '../read/read-failure.js';
import type { BatchRequest } from './batch-request.js';
import type { CrowdCatalog } from './crowd-catalog.js';
import type { PlainMiss } from './fast-path.js';
import { parseMatchQuery, parseTagsQuery } from './query.js';
import {
  crowdTail,
  type Freshness,
  listTail,
  matchesTail,
  tagsTail,
  UID_START,
  uidText,
  type Verdict,
} from './replies.js';
import type { Responder } from './responder.js';
import type { StreamClock } from './stream-clock.js';

export interface MatchServiceOptions {
  readonly cache: MembershipCache;
  readonly catalog: CrowdCatalog;
  readonly clock: StreamClock;
  readonly reader: MembershipReader;
  readonly tags: Pick<RealtimeTagStore, 'get'>;
  readonly limit: ConcurrencyLimit;
  readonly shedder: Admission;
  readonly stats: WorkerStats;
  readonly deadlineMs: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Hears of each error of a read that is not ours. */
  readonly onDefect: (error: unknown) => void;
}

const CATALOG_NOT_LOADED = new QuanrenError(
  'unavailable',
  'Which crowds there are is not known yet: the catalog is being loaded.',
);
const STREAM_NOT_FOLLOWED = new QuanrenError(
  'unavailable',
  'How old the tags are is not known yet: the stream is being caught up with.',
);

/** A user's crowds, as the cache keeps them or as they were read; or why they are not known. */
type Known = CrowdSet | ReadOutcome;

function codesOf(crowds: Exclude<Known, QuanrenError>): readonly string[] | ReadonlySet<string> {
  return 'listText' in crowds ? crowds.codes : crowds;
}

export class MatchService {
  readonly #options: MatchServiceOptions;
  /** Of the uid that is looked for just now. */
  readonly #uidBytes = new Uint8Array(MAX_CACHED_UID_BYTES);

  constructor(options: MatchServiceOptions) {
    this.#options = options;
  }

  /** `GET /match`: query is the raw query. */
  match(query: string, responder: Responder): void {
    const { catalog } = this.#options;
    try {
      const { uid, crowdCode } = parseMatchQuery(query);
      if (!catalog.isLoaded) throw CATALOG_NOT_LOADED;
      const known = crowdCode === undefined ? undefined : this.#verdictWithoutUser(crowdCode);
      if (crowdCode !== undefined && known !== undefined) {
        const freshness = this.#freshness();
        this.#ok(responder, uid, crowdTail(crowdCode, known, freshness), freshness);
        return;
      }
      this.#withCrowds(uid, responder, (outcome) => this.#answer(uid, crowdCode, outcome, responder));
    } catch (error) {
      responder.fail(error);
    }
  }

  /** The same for what the fast path has understood, but not found in the cache. */
  matchMissed({ uid, hash, crowdCode }: PlainMiss, responder: Responder): void {
    if (!this.#options.catalog.isLoaded) {
      responder.fail(CATALOG_NOT_LOADED);
      return;
    }
    const done = (outcome: Known) => this.#answer(uid, crowdCode, outcome, responder);
    this.#read(uid, Buffer.from(uid), hash, responder, done, true);
  }

  /** `POST /match/batch`: answers in the order of the uids, repeats included; what fails, fails for its item alone. */
  batch(request: BatchRequest, responder: Responder): void {
    const { catalog } = this.#options;
    if (!catalog.isLoaded) {
      responder.fail(CATALOG_NOT_LOADED);
      return;
    }
    const { uids, crowdCodes } = request;
    const outcomes: Known[] = new Array(uids.length);
    let missing = uids.length;
    const finish = (i: number, outcome: Known): void => {
      outcomes[i] = outcome;
      missing -= 1;
      if (missing > 0) return;
      const freshness = this.#freshness();
      const items = uids.map((uid, at) => this.#item(uid, outcomes[at] as Known, crowdCodes, freshness));
      responder.ok(`{"results":[${items.join()}]}`, freshness !== 'fresh');
    };
    if (uids.length === 0) {
      responder.ok('{"results":[]}', false);
      return;
    }
    uids.forEach((uid, i) => {
      try {
        const set = this.#cachedOfPlainUid(uid);
        if (set === undefined) {
          checkUid(uid);
          this.#withCrowds(uid, responder, (outcome) => finish(i, outcome));
        } else finish(i, set);
      } catch (error) {
        finish(i, error instanceof QuanrenError ? error : new QuanrenError('internal', String(error)));
      }
    });
  }

  /**
   * `GET /tags`: always read from the store, which is as fresh as those who write it. They live by the stream, so its
   * signs of life are theirs: when it is silent, changes of tags may be waiting too.
   */
  tags(query: string, responder: Responder): void {
    const { catalog, tags, limit, shedder, deadlineMs, now, onDefect } = this.#options;
    try {
      const { uid } = parseTagsQuery(query);
      if (!catalog.isLoaded) throw STREAM_NOT_FOLLOWED;
      if (!shedder.admits()) throw BEHIND;
      if (!limit.tryAcquire()) throw OVERLOADED;
      responder.defer();
      const startMs = performance.now();
      tags.get(uid, { deadlineMs }).then(
        (found) => {
          limit.release(1, performance.now() - startMs, false, now());
          const freshness = this.#freshness();
          this.#ok(responder, uid, tagsTail(found, freshness), freshness);
        },
        (error: unknown) => {
          limit.release(1, performance.now() - startMs, true, now());
          responder.fail(readFailure(error, onDefect));
        },
      );
    } catch (error) {
      responder.fail(error);
    }
  }

  /** Calls `done` with the user's active crowds, at once from the cache or later from the store. */
  #withCrowds(uid: string, responder: Responder, done: (outcome: Known) => void): void {
    const { cache, now } = this.#options;
    const bytes = Buffer.from(uid);
    const hash = hashBytes(bytes, 0, bytes.length);
    const set = cache.find(hash, bytes, 0, bytes.length, now());
    if (set !== undefined) {
      this.#countHit(set);
      done(set);
      return;
    }
    this.#read(uid, bytes, hash, responder, done, false);
  }

  #read(
    uid: string,
    bytes: Uint8Array,
    hash: number,
    responder: Responder,
    done: (outcome: Known) => void,
    isAdmitted: boolean,
  ): void {
    const { reader, stats } = this.#options;
    stats.add('misses');
    responder.defer();
    reader.read(uid, bytes, hash, (outcome, kept) => done(kept ?? outcome), isAdmitted);
  }

  #answer(uid: string, crowdCode: string | undefined, outcome: Known, responder: Responder): void {
    if (outcome instanceof QuanrenError) {
      responder.fail(outcome);
      return;
    }
    const freshness = this.#freshness();
    const tail =
      crowdCode === undefined
        ? this.#listTail(outcome, freshness)
        : crowdTail(crowdCode, this.#verdict(crowdCode, codesOf(outcome)), freshness);
    this.#ok(responder, uid, tail, freshness);
  }

  #listTail(outcome: Exclude<Known, QuanrenError>, freshness: Freshness): string {
    if (freshness === 'fresh' && 'listText' in outcome) return outcome.listText;
    return listTail([...codesOf(outcome)], freshness);
  }

  /** The set of a cached user whose uid is ASCII; undefined says nothing. With what it spares the reply, a batch of hits costs half. */
  #cachedOfPlainUid(uid: string): CrowdSet | undefined {
    const { cache, now } = this.#options;
    const { length } = uid;
    if (length === 0 || length > MAX_CACHED_UID_BYTES) return undefined;
    const bytes = this.#uidBytes;
    let hash = HASH_START;
    for (let i = 0; i < length; i++) {
      const code = uid.charCodeAt(i);
      if (code === 0 || code > 127) return undefined;
      bytes[i] = code;
      hash = hashByte(hash, code);
    }
    const set = cache.find(finishHash(hash), bytes, 0, length, now());
    if (set !== undefined) this.#countHit(set);
    return set;
  }

  #countHit({ codes }: CrowdSet): void {
    const { stats } = this.#options;
    stats.add('hits');
    if (codes.size === 0) stats.add('negativeHits');
  }

  /** What is known of a crowd that has no members to look for. */
  #verdictWithoutUser(crowdCode: string): Verdict | undefined {
    const crowd = this.#options.catalog.get(crowdCode);
    if (crowd === undefined) return 'unknown_crowd';
    return crowd.status === 'paused' ? 'paused_crowd' : undefined;
  }

  #verdict(crowdCode: string, codes: readonly string[] | ReadonlySet<string>): Verdict {
    const known = this.#verdictWithoutUser(crowdCode);
    if (known !== undefined) return known;
    const isMember = 'has' in codes ? codes.has(crowdCode) : codes.includes(crowdCode);
    return isMember ? 'member' : 'not_member';
  }

  #item(
    uid: string,
    outcome: Known,
    crowdCodes: readonly string[] | undefined,
    freshness: Freshness,
  ): string {
    if (outcome instanceof QuanrenError)
      return `${UID_START}${uidText(uid)}","error":${JSON.stringify(toProblem(outcome))}}`;
    let tail: string;
    if (crowdCodes !== undefined) {
      const answers = crowdCodes.map((crowdCode) => ({
        crowdCode,
        verdict: this.#verdict(crowdCode, codesOf(outcome)),
      }));
      tail = matchesTail(answers, freshness);
    } else tail = this.#listTail(outcome, freshness);
    return UID_START + uidText(uid) + tail;
  }

  #ok(responder: Responder, uid: string, tail: string, freshness: Freshness): void {
    responder.ok(UID_START + uidText(uid) + tail, freshness !== 'fresh');
  }

  #freshness(): Freshness {
    const { clock, now } = this.#options;
    return clock.freshness(now());
  }
}
