import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ByteString, utf8Bytes } from '../wire/byte-string.js';
import type { Region } from './region.js';
import { RegionCache } from './region-cache.js';

const TABLE = utf8Bytes('t');

function region(startKey: string, endKey: string, regionId = 1, host = 'a'): Region {
  return {
    name: utf8Bytes(`t,${startKey},${regionId}.${endKey}.`),
    info: {
      regionId,
      table: TABLE,
      startKey: utf8Bytes(startKey),
      endKey: utf8Bytes(endKey),
      isOffline: false,
      isSplit: false,
      replicaId: 0,
    },
    server: { host, port: 1 },
    serverName: `${host}:1`,
  };
}

/** Regions that cover the table, cut at the keys. */
function regionsAt(keys: readonly string[]): Region[] {
  const cuts = ['', ...new Set(keys.filter((key) => key !== ''))].sort();
  return cuts.map((key, i) => region(key, cuts[i + 1] ?? ''));
}

function naiveFind(regions: readonly Region[], row: ByteString): Region | undefined {
  return regions.find(({ info }) => info.startKey <= row && (info.endKey === '' || row < info.endKey));
}

const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 3 });

describe('RegionCache', () => {
  it('finds what a look through all regions finds, also when some are forgotten', () => {
    fc.assert(
      fc.property(fc.array(key), fc.array(key), fc.array(fc.nat(9)), (cuts, rows, forgotten) => {
        const cache = new RegionCache();
        let regions = regionsAt(cuts);
        cache.replace(TABLE, [...regions].reverse());
        for (const at of forgotten) {
          const each = regions[at];
          if (each === undefined) continue;
          cache.forget(each);
          regions = regions.filter((other) => other !== each);
        }
        for (const row of rows.map(utf8Bytes)) {
          assert.equal(cache.find(TABLE, row)?.name, naiveFind(regions, row)?.name);
        }
      }),
    );
  });

  it('keeps a region that has not moved as the same object, and lets go of one that has', () => {
    const cache = new RegionCache();
    const [stays, moves] = [region('', 'm'), region('m', '')];
    cache.replace(TABLE, [stays, moves]);
    const moved = region('m', '', 1, 'b');
    cache.replace(TABLE, [region('', 'm'), moved]);
    assert.equal(cache.find(TABLE, utf8Bytes('a')), stays);
    assert.equal(cache.holds(stays), true);
    assert.equal(cache.holds(moves), false);
    assert.equal(cache.find(TABLE, utf8Bytes('z')), moved);
  });

  it('does not forget what has taken the place of a region', () => {
    const cache = new RegionCache();
    const [before, after] = [region('', '', 1), region('', '', 2)];
    cache.replace(TABLE, [before]);
    cache.replace(TABLE, [after]);
    cache.forget(before);
    assert.equal(cache.find(TABLE, utf8Bytes('a')), after);
  });

  it('knows nothing of other tables', () => {
    const cache = new RegionCache();
    cache.replace(TABLE, [region('', '')]);
    assert.equal(cache.find(utf8Bytes('u'), utf8Bytes('a')), undefined);
    cache.forgetTable(TABLE);
    assert.equal(cache.find(TABLE, utf8Bytes('a')), undefined);
  });
});
