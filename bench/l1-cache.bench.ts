/**
 * Which structure L1 should be: the cost of a hit among a million users, the memory, the longest pause, and the hits that
 * a cache of a tenth of the users gives under a skewed load. docs/adr/0002-l1-cache.md draws the conclusion.
 *
 *   npm run bench -- l1-cache
 *
 * Each candidate runs in a process of its own, so that none inherits another's heap.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LRUCache } from 'lru-cache';
import { CrowdSets } from '../gateway/cache/crowd-sets.js';
import { Generations } from '../gateway/cache/generations.js';
import { MembershipCache } from '../gateway/cache/membership-cache.js';
import { hashBytes } from '../gateway/cache/uid-hash.js';

const USERS = 1_000_000;
const ASKED = 500_000;
const ROUNDS = 7;
const SETS = [[], ['big_spenders'], ['big_spenders', 'lapsed_premium'], ['one_time_buyers', 'young']];
const NOW_MS = 1_000;

interface Candidate {
  readonly hit: (uid: string) => boolean;
  readonly store: (uid: string, crowds: readonly string[]) => void;
}

const uidOf = (i: number): string => `u${String(i).padStart(7, '0')}`;
/** A string of its own, as one that came from the network is; not a constant that others share. */
const fresh = (uid: string): string => Buffer.from(uid).toString('latin1');
const replyOf = (uid: string, crowds: readonly string[]): string =>
  fresh(`{"uid":"${uid}","userCrowds":${JSON.stringify(crowds)},"status":"fresh"}`);

const CANDIDATES: Readonly<Record<string, (capacity: number) => Candidate>> = {
  'buckets of 15 (ours)': (capacity) => {
    const generations = new Generations();
    const cache = new MembershipCache({
      entries: capacity,
      maxSetBytes: 1_000_000,
      ttlMs: 1e9,
      generations,
      sets: new CrowdSets(),
    });
    const bytes = new Uint8Array(64);
    const write = (uid: string): number => {
      for (let i = 0; i < uid.length; i++) bytes[i] = uid.charCodeAt(i);
      return hashBytes(bytes, 0, uid.length);
    };
    return {
      hit: (uid) => cache.find(write(uid), bytes, 0, uid.length, NOW_MS) !== undefined,
      store: (uid, crowds) => {
        const hash = write(uid);
        cache.store(hash, bytes, 0, uid.length, generations.of(hash), crowds, NOW_MS);
      },
    };
  },
  'Map, no eviction': () => {
    const map = new Map<string, { reply: string; generation: number }>();
    return {
      hit: (uid) => map.get(uid)?.generation === 0,
      store: (uid, crowds) => map.set(uid, { reply: replyOf(uid, crowds), generation: 0 }),
    };
  },
  'lru-cache': (capacity) => {
    const cache = new LRUCache<string, { reply: string; generation: number }>({ max: capacity });
    return {
      hit: (uid) => cache.get(uid)?.generation === 0,
      store: (uid, crowds) => cache.set(uid, { reply: replyOf(uid, crowds), generation: 0 }),
    };
  },
};

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

function measure(name: string): Record<string, number> {
  const create = CANDIDATES[name];
  if (create === undefined) throw new Error(name);
  const rssBefore = process.memoryUsage().rss;
  const cache = create(2 * USERS);
  let longestMs = 0;
  for (let i = 0; i < USERS; i++) {
    const startMs = performance.now();
    cache.store(fresh(uidOf(i)), SETS[i % SETS.length] ?? []);
    longestMs = Math.max(longestMs, performance.now() - startMs);
  }
  const asked = Array.from({ length: ASKED }, (_, i) => fresh(uidOf((i * 7_368_787) % USERS)));
  const times: number[] = [];
  let hits = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (const uid of asked) if (cache.hit(uid)) hits += 1;
    const { user, system } = process.cpuUsage(before);
    times.push(((user + system) * 1_000) / ASKED);
  }
  const rssMib = (process.memoryUsage().rss - rssBefore) / 2 ** 20;
  return {
    nanoseconds: median(times),
    rssMib,
    longestMs,
    found: hits / ASKED / ROUNDS,
    skewed: name.startsWith('Map') ? Number.NaN : skewedHitRatio(create(USERS / 10)),
  };
}

/** Users by Zipf's law (s = 0.9): the hits of a cache that holds a tenth of them, once it is full. */
function skewedHitRatio(cache: Candidate): number {
  const cumulated = new Float64Array(USERS);
  let sum = 0;
  for (let i = 0; i < USERS; i++) {
    sum += 1 / (i + 1) ** 0.9;
    cumulated[i] = sum;
  }
  let state = 42;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  let hits = 0;
  const total = 2_000_000;
  for (let i = 0; i < total; i++) {
    const target = random() * sum;
    let [low, high] = [0, USERS - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulated[middle] ?? 0) < target) low = middle + 1;
      else high = middle;
    }
    const uid = uidOf(low);
    if (cache.hit(uid)) hits += i >= total / 2 ? 1 : 0;
    else cache.store(uid, SETS[low % SETS.length] ?? []);
  }
  return hits / (total / 2);
}

const [only] = process.argv.slice(2);
if (only !== undefined) console.log(JSON.stringify(measure(only)));
else {
  console.log(
    `${USERS} users, ${ASKED} hits in pseudo-random order, median of ${ROUNDS} rounds, Node ${process.versions.node}\n`,
  );
  console.log(
    '| structure | ns CPU per hit | memory MiB | longest store ms | found | hits at a tenth, Zipf 0.9 |',
  );
  console.log('|---|---|---|---|---|---|');
  for (const name of Object.keys(CANDIDATES)) {
    const output = execFileSync(process.execPath, [fileURLToPath(import.meta.url), name], {
      encoding: 'utf8',
    });
    const r = JSON.parse(output) as Record<string, number | null>;
    const show = (key: string, digits: number) => (r[key] == null ? '–' : Number(r[key]).toFixed(digits));
    console.log(
      `| ${name} | ${show('nanoseconds', 0)} | ${show('rssMib', 0)} | ${show('longestMs', 0)} | ${show('found', 4)} | ${show('skewed', 3)} |`,
    );
  }
}
