import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionError } from '../connection/connection-error.js';
import { LASTING_MS } from '../connection/server-link.js';
import type { Region } from '../locate/region.js';
import { utf8Bytes } from '../wire/byte-string.js';
import { Outages } from './outages.js';

const TABLE = utf8Bytes('t');

function region(startKey: string, endKey: string): Region {
  const [start, end] = [utf8Bytes(startKey), utf8Bytes(endKey)];
  const info = {
    ...{ table: TABLE, startKey: start, endKey: end, regionId: 1, replicaId: 0 },
    ...{ isOffline: false, isSplit: false },
  };
  return { name: start, info, server: { host: 'h', port: 1 }, serverName: 'h:1' };
}

/** A probe that is answered once `isBack` is true, and the outages over it. */
function watched() {
  const state = { isBack: false, probes: 0 };
  const outages = new Outages(async () => {
    state.probes += 1;
    if (!state.isBack) throw new Error('away');
  });
  const refusal = (row: string, isLocated = true) => outages.refusalOf(TABLE, utf8Bytes(row), isLocated);
  return { state, outages, refusal };
}

test('who asks for a region that is away is patient at first, then refused until a probe is answered', async () => {
  const { state, outages, refusal } = watched();
  const error = new Error('first');
  outages.note(TABLE, utf8Bytes('c'), region('b', 'd'), error);
  assert.equal(refusal('b'), undefined);
  await sleep(LASTING_MS + 10);
  for (const row of ['b', 'czz']) assert.equal(refusal(row), error);
  for (const row of ['a', 'd']) assert.equal(refusal(row), undefined);
  assert.equal(outages.refusalOf(utf8Bytes('other'), utf8Bytes('b'), true), undefined);
  const later = new Error('later');
  outages.note(TABLE, utf8Bytes('b'), region('b', 'd'), later);
  assert.equal(refusal('b'), later, 'the same outage, since when it began');
  assert.ok(state.probes >= 2 && state.probes <= 10, `${state.probes} probes`);
  state.isBack = true;
  await sleep(150);
  assert.equal(refusal('b'), undefined);
  const { probes } = state;
  await sleep(150);
  assert.equal(state.probes, probes, 'what is over is probed no more');
});

test('while a cluster is finding itself, what is away next is refused at once', async () => {
  const { outages, refusal } = watched();
  outages.note(TABLE, utf8Bytes('c'), region('b', 'd'), new Error('first'));
  outages.note(TABLE, utf8Bytes('e'), region('d', 'f'), new Error('too early to tell'));
  assert.equal(refusal('e'), undefined);
  await sleep(LASTING_MS + 10);
  assert.ok(refusal('c') instanceof Error);
  const second = new Error('second');
  outages.note(TABLE, utf8Bytes('g'), region('f', 'h'), second);
  assert.equal(refusal('g'), second);
  outages.close();
});

test('what has been away for long already is refused at once', () => {
  const { outages, refusal } = watched();
  outages.note(TABLE, utf8Bytes('x'), region('', ''), new ConnectionError('refused', '', undefined, true));
  assert.ok(refusal('anything') instanceof ConnectionError);
  outages.close();
  assert.equal(refusal('anything'), undefined);
});

test('regions that cannot be found do not touch those that are known', async () => {
  const { outages, refusal } = watched();
  outages.note(TABLE, utf8Bytes('x'), undefined, new Error('no meta'));
  await sleep(LASTING_MS + 10);
  assert.ok(refusal('a', false) instanceof Error);
  assert.equal(refusal('a', true), undefined);
  outages.close();
});
