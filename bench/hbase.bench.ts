/**
 * Reading rows of a million users from a standalone HBase, by our client, by hbase-rpc-client and by HBase's own Java
 * client (AsyncTable), each in a process of its own and in turns:
 *
 *   npm run bench -- hbase [--users 1000000] [--rounds 3] [--seconds 5]
 *
 * Prints rows a second, the client's CPU a row, and the CPU of HBase a row.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { HBaseAdmin } from '../stores/hbase/admin/hbase-admin.js';
import { openHBaseMembershipStore } from '../stores/hbase/hbase-membership-store.js';
import { MEMBERSHIP_TABLE } from '../stores/hbase/tables.js';
import { startTestHBase } from '../test/support/hbase.js';
import { runJavaPeer } from '../test/support/hbase-java-peer.js';
import { median } from './support/figures.js';
import { fillMemberships } from './support/fill.js';
import { cpuSeconds } from './support/processes.js';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
  },
});
const users = Number(values.users);
const CROWDS = ['big_spenders', 'lapsed', 'premium', 'online_now', 'new_in_town', 'vip', 'cart', 'sms'];
const CLIENTS = ['quanren', 'hbase-rpc-client', 'Java AsyncTable'];
const MODES = ['single:64', 'single:512', 'batch:512'];

const say = (line: string) => process.stdout.write(`${line}\n`);
const hbase = await startTestHBase({ jvm: {} });
const pids = [hbase.engine.process('hbase').pid ?? 0];

/** `rows` in `seconds`, and `allRows` with those of the warm-up. */
async function read(name: string, mode: string): Promise<Record<string, number>> {
  const { bootstrap = '', zookeeper = '' } = hbase.engine.addresses;
  if (name === 'Java AsyncTable') {
    const args = ['read', zookeeper, MEMBERSHIP_TABLE, mode, values.users, values.seconds];
    return JSON.parse(await runJavaPeer(args)) as Record<string, number>;
  }
  const script = path.join(import.meta.dirname, 'hbase', 'read-rows.js');
  const args = [script, name, bootstrap, zookeeper, mode, values.users, values.seconds];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 });
  return JSON.parse(stdout) as Record<string, number>;
}

const rates = new Map<string, number[]>();

try {
  const client = hbase.connect();
  const store = openHBaseMembershipStore({ client });
  const startedMs = performance.now();
  // 4.5 crowds a user, as in the measurements that chose the encoding.
  const crowdsOf = (i: number) => CROWDS.slice(0, 1 + (i % 8));
  await fillMemberships(store, users, (i) => `user_${i}`, crowdsOf);
  const perSecond = Math.round(users / ((performance.now() - startedMs) / 1_000));
  say(`${users.toLocaleString('en')} users written: ${perSecond.toLocaleString('en')}/s`);
  const admin = new HBaseAdmin(client, 300_000);
  await admin.flush(MEMBERSHIP_TABLE);
  await admin.majorCompact(MEMBERSHIP_TABLE);
  client.close();
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    for (const mode of MODES) {
      for (const name of CLIENTS) {
        const before = cpuSeconds(pids);
        const { rows = 0, allRows = 1, seconds = 1, cpuMicros = 0 } = await read(name, mode);
        const perSecond = Math.round(rows / seconds);
        say(
          `round ${round} ${mode.padEnd(10)} ${name.padEnd(16)} ${perSecond.toLocaleString('en').padStart(8)} rows/s, ` +
            `client ${(cpuMicros / rows).toFixed(1)} µs CPU a row, HBase ${(((cpuSeconds(pids) - before) * 1e6) / allRows).toFixed(1)}`,
        );
        const key = `${mode} ${name}`;
        rates.set(key, [...(rates.get(key) ?? []), perSecond]);
      }
    }
  }
  for (const mode of MODES) {
    const [ours = 0, ...peers] = CLIENTS.map((name) => median(rates.get(`${mode} ${name}`) ?? []));
    const ratios = peers.map((peer, i) => `${(ours / peer).toFixed(2)} of ${CLIENTS[i + 1]}`);
    say(`${mode}: ours at ${ours.toLocaleString('en')} rows/s is ${ratios.join(', ')} (medians)`);
  }
} finally {
  await hbase.remove();
}
