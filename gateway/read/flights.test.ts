import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Flight, Flights } from './flights.js';

/** Few users with fewer hashes, so that many of them share a list. */
const uid = fc.nat(8).map((i) => `u${i}`);
const hashOf = (of: string) => Number(of.slice(1)) % 3;

function flightOf(of: string): Flight {
  return { uid: of, bytes: Buffer.from(of), hash: hashOf(of), generation: 0, waiters: [], next: undefined };
}

test('is what a Map of the newest flight of each user is', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), uid }),
    fc.record({ kind: fc.constant('remove' as const), nth: fc.nat(30) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const flights = new Flights();
      const expected = new Map<string, Flight>();
      const all: Flight[] = [];
      for (const each of steps) {
        if (each.kind === 'add') {
          const flight = flightOf(each.uid);
          all.push(flight);
          flights.add(flight);
          expected.set(flight.uid, flight);
          continue;
        }
        // Also one that was removed before, or whose place another has.
        const flight = all[each.nth];
        if (flight === undefined) continue;
        flights.remove(flight);
        if (expected.get(flight.uid) === flight) expected.delete(flight.uid);
      }
      for (let i = 0; i <= 8; i += 1)
        assert.equal(flights.find(`u${i}`, hashOf(`u${i}`)), expected.get(`u${i}`));
      // What is over leads to nothing that is not: else the collector would keep it.
      const under = new Set(expected.values());
      assert.ok(all.every((flight) => under.has(flight) || flight.next === undefined));
    }),
  );
});
