/** What every SharedCache must do; the tests of each implementation call it. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_SHARED_UIDS, type SharedCache, type SharedRead, type Trust } from './shared-cache.js';

/** A server, as its world sees it. */
export interface SharedCachePlace {
  /** A client whose entries live `ttlMs`, once it is not away. */
  open(ttlMs: number): Promise<SharedCache>;
  /** Lets so much of the server's time pass. */
  pass(ms: number): Promise<void>;
  /** Another process serves from now on: with the entries that there are, as from a dump, or with none. */
  replaceServer(entries: 'kept' | 'lost'): Promise<void>;
  /** Ends once no client can reach it; `bringBack`, once they all can again, with the entries that there were. */
  takeAway(): Promise<void>;
  bringBack(): Promise<void>;
  remove(): Promise<void>;
}

const LONG_MS = 60_000;
/** Long enough for a machine that is busy, and short enough to be waited for. */
const SHORT_MS = 1_000;
/** No call may take longer, whatever befalls the server. */
const BOUND_MS = 3_000;

export function describeSharedCacheContract(
  name: string,
  createPlace: () => Promise<SharedCachePlace>,
): void {
  describe(`${name} keeps the contract of SharedCache`, () => {
    let place: SharedCachePlace;
    let cache: SharedCache;
    let other: SharedCache;
    let nextUid = 0;
    let uid: string;
    const opened: SharedCache[] = [];

    before(async () => {
      place = await createPlace();
      cache = await open();
      other = await open();
    });
    beforeEach(() => {
      uid = `user${nextUid++}`;
    });
    after(async () => {
      for (const each of opened) await each.close();
      await place.remove();
    });

    async function open(ttlMs = LONG_MS): Promise<SharedCache> {
      const client = await place.open(ttlMs);
      opened.push(client);
      return client;
    }
    /** The server that there is, and every entry it has. */
    async function trustAll(): Promise<Trust> {
      const look = await cache.look();
      assert.ok(look !== undefined, 'the cache is away');
      return { server: look.server, sinceMs: 0 };
    }
    async function readOne(from: SharedCache, trust: Trust, of = uid): Promise<SharedRead> {
      const [outcome, ...more] = await from.read([of], trust);
      assert.ok(outcome !== undefined && more.length === 0);
      return outcome;
    }
    async function lease(from: SharedCache, trust: Trust, of = uid): Promise<string> {
      const outcome = await readOne(from, trust, of);
      assert.equal(outcome.kind, 'lease');
      return outcome.kind === 'lease' ? outcome.token : '';
    }
    async function assertHolds(from: SharedCache, trust: Trust, codes: readonly string[]): Promise<void> {
      const outcome = await readOne(from, trust);
      assert.deepEqual(outcome.kind === 'value' ? outcome.codes : outcome, codes);
    }

    it('what was filled under a lease is read by everyone', async () => {
      const trust = await trustAll();
      const token = await lease(cache, trust);
      await cache.fill([{ uid, token, codes: ['old', 'vip'] }], trust);
      for (const each of [cache, other]) {
        const outcome = await readOne(each, trust);
        assert.ok(outcome.kind === 'value');
        assert.deepEqual(outcome.codes, ['old', 'vip']);
        assert.ok(outcome.ageMs >= 0 && outcome.ageMs < LONG_MS, `${outcome.ageMs}`);
      }
    });

    it('no crowds are a value, too', async () => {
      const trust = await trustAll();
      await cache.fill([{ uid, token: await lease(cache, trust), codes: [] }], trust);
      await assertHolds(other, trust, []);
    });

    it('outcomes come in the order of the uids, with their repeats', async () => {
      const trust = await trustAll();
      const [a, b] = [`${uid}a`, `${uid}b`];
      await cache.fill([{ uid: a, token: await lease(cache, trust, a), codes: ['a'] }], trust);
      const outcomes = await other.read([b, a, b, a], trust);
      assert.deepEqual(
        outcomes.map((each) => (each.kind === 'value' ? each.codes : each.kind)),
        ['lease', ['a'], 'lease', ['a']],
      );
      assert.deepEqual(outcomes[0], outcomes[2], 'of one uid there is one lease');
      assert.deepEqual(await other.read([], trust), []);
      await other.fill([], trust);
    });

    it('uids and codes of every shape and in full number', async () => {
      const trust = await trustAll();
      const codes = Array.from({ length: 200 }, (_, i) => `${'c'.repeat(46)}_${i + 100}`);
      const strange = [
        '{}',
        'a}:{b',
        ' ',
        '\n\r\n',
        '用户二',
        '😀',
        'é'.repeat(256),
        'u,1',
        '__proto__',
        '*',
      ];
      const uids = [
        ...strange.map((each) => each + (each.length < 256 ? uid : '')),
        ...Array.from({ length: MAX_SHARED_UIDS - strange.length }, (_, i) => `${uid}.${i}`),
      ];
      const leases = await cache.read(uids, trust);
      const fills = uids.map((each, i) => {
        const outcome = leases[i];
        assert.ok(outcome?.kind === 'lease', `${each}: ${outcome?.kind}`);
        return { uid: each, token: outcome.token, codes: i < strange.length ? codes : [`c${i}`] };
      });
      await cache.fill(fills, trust);
      const values = await other.read(uids, trust);
      for (const [i, each] of fills.entries()) {
        const outcome = values[i];
        assert.deepEqual(outcome?.kind === 'value' && outcome.codes, each.codes, each.uid);
      }
      assert.equal(await cache.invalidate(uids, trust), true);
      assert.ok((await other.read(uids, trust)).every(({ kind }) => kind === 'lease'));
    });

    it('readers that miss at once share a lease, and any of them may fill', async () => {
      const trust = await trustAll();
      const token = await lease(cache, trust);
      assert.equal(await lease(other, trust), token);
      await other.fill([{ uid, token, codes: ['vip'] }], trust);
      await assertHolds(cache, trust, ['vip']);
    });

    it('a fill that an invalidation overtook is dropped, and the next lease is another', async () => {
      const trust = await trustAll();
      const overtaken = await lease(cache, trust);
      assert.equal(await other.invalidate([uid], trust), true);
      await cache.fill([{ uid, token: overtaken, codes: ['stale'] }], trust);
      const token = await lease(cache, trust);
      assert.notEqual(token, overtaken);
      await cache.fill([{ uid, token: overtaken, codes: ['stale'] }], trust);
      assert.equal(await lease(cache, trust), token);
      await cache.fill([{ uid, token, codes: ['right'] }], trust);
      await cache.fill([{ uid, token: overtaken, codes: ['stale'] }], trust);
      await assertHolds(other, trust, ['right']);
    });

    it('an invalidation takes a value away, and those of others leave it', async () => {
      const trust = await trustAll();
      await cache.fill([{ uid, token: await lease(cache, trust), codes: ['vip'] }], trust);
      assert.equal(await other.invalidate([`${uid}x`], trust), true);
      await assertHolds(cache, trust, ['vip']);
      assert.equal(await other.invalidate([uid, uid, `${uid}y`], trust), true);
      await lease(cache, trust);
    });

    it('a value ends with the time of its lease, not of its fill', async () => {
      const brief = await open(SHORT_MS);
      const trust = await trustAll();
      await brief.fill([{ uid, token: await lease(brief, trust), codes: ['vip'] }], trust);
      await assertHolds(brief, trust, ['vip']);
      const late = `${uid}late`;
      const token = await lease(brief, trust, late);
      await place.pass(SHORT_MS * 0.7);
      await brief.fill([{ uid: late, token, codes: ['vip'] }], trust);
      await place.pass(SHORT_MS * 0.5);
      await lease(brief, trust);
      assert.notEqual(await lease(brief, trust, late), token);
    });

    it('what was leased before trust begins is not believed, and cannot be filled any more', async () => {
      const trust = await trustAll();
      const [waits, filled] = [`${uid}w`, `${uid}f`];
      const token = await lease(cache, trust, waits);
      await cache.fill([{ uid: filled, token: await lease(cache, trust, filled), codes: ['old'] }], trust);
      const look = await other.look();
      assert.ok(look !== undefined);
      const later: Trust = { server: look.server, sinceMs: look.timeMs };
      await place.pass(5);
      const renewed = await lease(other, later, waits);
      assert.notEqual(renewed, token);
      await cache.fill([{ uid: waits, token, codes: ['stale'] }], trust);
      assert.equal(await lease(other, later, waits), renewed);
      await other.fill([{ uid: waits, token: renewed, codes: ['new'] }], later);
      const [first, second] = await cache.read([waits, filled], later);
      assert.deepEqual(first?.kind === 'value' && first.codes, ['new']);
      assert.equal(second?.kind, 'lease');
    });

    it('a server that is not trusted has no say', async () => {
      const trust = await trustAll();
      const stranger: Trust = { server: `${'0'.repeat(40)}`, sinceMs: 0 };
      const token = await lease(cache, trust);
      for (const wrong of [stranger, { ...stranger, server: '' }]) {
        assert.deepEqual(await readOne(cache, wrong), { kind: 'none' });
        await cache.fill([{ uid, token, codes: ['x'] }], wrong);
        assert.equal(await cache.invalidate([uid], wrong), false);
      }
      assert.equal(await lease(cache, trust), token);
    });

    it('a server that took the place of the trusted one has no say, whatever it remembers', async () => {
      for (const entries of ['kept', 'lost'] as const) {
        const trust = await trustAll();
        const held = `${uid}${entries}`;
        await cache.fill([{ uid: held, token: await lease(cache, trust, held), codes: ['old'] }], trust);
        await place.replaceServer(entries);
        const look = await cache.look();
        assert.ok(look !== undefined && look.server !== trust.server);
        assert.deepEqual(await readOne(cache, trust, held), { kind: 'none' });
        assert.equal(await cache.invalidate([held], trust), false);
        const now: Trust = { server: look.server, sinceMs: look.timeMs };
        await place.pass(5);
        await lease(other, now, held);
        const outcome = await readOne(cache, { server: look.server, sinceMs: 0 }, `${uid}new`);
        assert.equal(outcome.kind, 'lease');
      }
    });

    it('while it is away every call ends soon, and none throws; then it serves again', async () => {
      const trust = await trustAll();
      const token = await lease(cache, trust);
      await cache.fill([{ uid, token, codes: ['vip'] }], trust);
      await place.takeAway();
      for (let i = 0; i < 3; i += 1) {
        const startMs = performance.now();
        assert.deepEqual(await readOne(cache, trust), { kind: 'none' });
        await cache.fill([{ uid, token, codes: ['x'] }], trust);
        assert.equal(await cache.invalidate([uid], trust), false);
        assert.equal(await cache.look(), undefined);
        assert.ok(performance.now() - startMs < BOUND_MS);
      }
      await place.bringBack();
      const again = await trustAll();
      const outcome = await readOne(cache, again);
      assert.ok(outcome.kind !== 'none');
    });

    it('after its close a client finds it away', async () => {
      const trust = await trustAll();
      const closed = await open();
      await closed.close();
      assert.deepEqual(await readOne(closed, trust), { kind: 'none' });
      await closed.fill([{ uid, token: 'x', codes: [] }], trust);
      assert.equal(await closed.invalidate([uid], trust), false);
      assert.equal(await closed.look(), undefined);
      await closed.close();
    });

    it('any sequence of calls of two clients ends as in the naive oracle', async () => {
      const trust = await trustAll();
      const operation = fc.record({
        client: fc.constantFrom(0, 1),
        kind: fc.constantFrom('read' as const, 'fill' as const, 'invalidate' as const),
        user: fc.constantFrom('a', 'b'),
        /** Which of the tokens that were ever given for the user, the last first. */
        token: fc.nat({ max: 2 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
          const run = `${uid}.${nextUid++}.`;
          /** user → the token of the lease and, once it was filled, the value */
          const held = new Map<string, { token: string; codes?: readonly string[] }>();
          const tokens = new Map<string, string[]>();
          for (const [i, { client, kind, user, token: back }] of operations.entries()) {
            const from = client === 0 ? cache : other;
            const of = run + user;
            const entry = held.get(of);
            if (kind === 'invalidate') {
              assert.equal(await from.invalidate([of], trust), true);
              held.delete(of);
            } else if (kind === 'fill') {
              const token = (tokens.get(of) ?? []).at(-1 - back) ?? 'never given';
              await from.fill([{ uid: of, token, codes: [`c${i}`] }], trust);
              if (entry?.token === token && entry.codes === undefined) {
                held.set(of, { token, codes: [`c${i}`] });
              }
            } else {
              const outcome = await readOne(from, trust, of);
              if (entry?.codes !== undefined) {
                assert.deepEqual(outcome.kind === 'value' && outcome.codes, entry.codes);
              } else {
                assert.ok(outcome.kind === 'lease', outcome.kind);
                if (entry !== undefined) assert.equal(outcome.token, entry.token);
                else {
                  assert.ok(!(tokens.get(of) ?? []).includes(outcome.token), 'a token is never given again');
                  tokens.set(of, [...(tokens.get(of) ?? []), outcome.token]);
                  held.set(of, { token: outcome.token });
                }
              }
            }
          }
        }),
        { numRuns: 100 },
      );
    });
  });
}
