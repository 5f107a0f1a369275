import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { holdDestinations } from './destinations.js';

const root = mkdtempSync(path.join(tmpdir(), 'quanren-destinations-'));
after(() => rmSync(root, { recursive: true }));

const embedded = { kind: 'embedded', folder: root } as const;
const hbase = (host: string) =>
  ({ kind: 'hbase', nodes: [{ host, port: 16_000 }], user: 'quanren', tls: undefined }) as const;
const kafka = (prefix: string) => ({ brokers: ['k1:9092'], tls: null, sasl: null, prefix });

test('what was written to one store is not looked for in another, nor told of on another bus', async () => {
  const folder = path.join(root, 'data');
  await holdDestinations(folder, hbase('a'), kafka('x'));
  await holdDestinations(folder, hbase('b'), kafka('x'));
  const refused = (message: RegExp) => ({ code: 'set_up', message });
  await assert.rejects(
    holdDestinations(folder, embedded, kafka('x')),
    refused(/to HBase and .* name the embedded store/),
  );
  await assert.rejects(
    holdDestinations(folder, hbase('a'), null),
    refused(/name HBase and the embedded bus/),
  );
  await assert.rejects(
    holdDestinations(folder, hbase('a'), kafka('y')),
    refused(/prefix 'x'.*prefix 'y'.*QUANREN_DATA_DIR/),
  );
  await holdDestinations(folder, hbase('a'), kafka('x'));
});

test('a note that is damaged is told', async () => {
  writeFileSync(path.join(root, 'destinations.json'), '{"sto');
  await assert.rejects(holdDestinations(root, embedded, null), { code: 'set_up', message: /is damaged/ });
});
