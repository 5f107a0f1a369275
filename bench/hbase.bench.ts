/**
 * Reading rows of a million users from a standalone HBase, by our client and by hbase-rpc-client, each in a process of
 * its own and in turns:
 *
 *   node dist/bench/hbase.bench.js [--users 1000000] [--rounds 3] [--seconds 5]
 *
 * Prints rows a second, the client's CPU a row, and the CPU of HBase a row.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { HBaseAdmin } from '../stores/hbase/admin/hbase-admin.js';
import { openHBaseMembershipStore } from '../stores/hbase/hbase-membership-store.js';
import { MEMBERSHIP_TABLE } from '../stores/hbase/tables.js';
import { startTestHBase } from '../test/support/hbase.js';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
  },
});
const users = Number(values.users);
const CROWDS = ['big_spenders', 'lapsed', 'premium', 'online_now', 'new_in_town', 'vip', 'cart', 'sms'];
const CHANGES = 50_000;
const CLIENTS = ['quanren', 'hbase-rpc-client'];
const MODES = ['single:64', 'single:512', 'batch:512'];

const say = (line: string) => process.stdout.write(`${line}\n`);
const hbase = await startTestHBase({ jvm: {} });
const pid = hbase.engine.process('hbase').pid;

/** CPU of HBase so far. Clock ticks are a hundredth of a second on Linux. */
function serverCpuMicros(): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

try {
  const client = hbase.connect();
  const store = await openHBaseMembershipStore({ client });
  const nowMs = Date.now();
  const startedMs = performance.now();
  let changes = [];
  let count = 0;
  for (let i = 0; i < users; i += 1) {
    // 4.5 crowds a user, as in the measurements that chose the encoding.
    for (let k = 0; k < 1 + (i % 8); k += 1) {
      changes.push({
        uid: `user_${i}`,
        crowdCode: CROWDS[k] ?? '',
        kind: 'enter' as const,
        changeTimeMs: nowMs,
      });
    }
    if (changes.length < CHANGES && i < users - 1) continue;
    await store.apply(changes, nowMs);
    count += changes.length;
    changes = [];
  }
  const loadSeconds = (performance.now() - startedMs) / 1_000;
  say(
    `${count.toLocaleString('en')} memberships written: ${Math.round(count / loadSeconds).toLocaleString('en')}/s`,
  );
  const admin = new HBaseAdmin(client, 300_000);
  await admin.flush(MEMBERSHIP_TABLE);
  await admin.majorCompact(MEMBERSHIP_TABLE);
  client.close();
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    for (const mode of MODES) {
      for (const name of CLIENTS) {
        const { bootstrap = '', zookeeper = '' } = hbase.engine.addresses;
        const script = path.join(import.meta.dirname, 'hbase', 'read-rows.js');
        const before = serverCpuMicros();
        const output = execFileSync(
          process.execPath,
          [script, name, bootstrap, zookeeper, mode, values.users, values.seconds],
          { encoding: 'utf8', timeout: 120_000 },
        );
        const { rows, seconds, cpuMicros } = JSON.parse(output) as Record<string, number>;
        const perSecond = Math.round((rows ?? 0) / (seconds ?? 1));
        // The warm-up is the server's too.
        const serverShare = (serverCpuMicros() - before) * ((seconds ?? 0) / ((seconds ?? 0) + 2));
        say(
          `round ${round} ${mode.padEnd(10)} ${name.padEnd(16)} ${perSecond.toLocaleString('en').padStart(8)} rows/s, ` +
            `client ${((cpuMicros ?? 0) / (rows ?? 1)).toFixed(1)} µs CPU a row, HBase ≈ ${(serverShare / (rows ?? 1)).toFixed(1)}`,
        );
      }
    }
  }
} finally {
  await hbase.remove();
}
