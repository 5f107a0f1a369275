/** `quanren engines` as a person uses it: Kafka, HBase and Redis under one name, Redis and Postgres under another. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Command, type Ended } from '../../e2e/quanren-process.js';

/** The first time, everything is fetched. */
const UP_WITHIN_MS = 10 * 60_000;
const THREE = ['kafka', 'hbase', 'redis'];

interface Report {
  readonly engine: string;
  readonly state: string;
  readonly addresses: Readonly<Record<string, string>>;
  readonly processes: readonly { name: string; status: string; pid: number; rssBytes: number }[];
}

describe('quanren engines', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'quanren-engines-'));
  });

  after(() => {
    for (const pid of processesOf(folder)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  });

  function run(...args: string[]): Promise<Ended> {
    const cache = process.env.QUANREN_ENGINES_CACHE_DIR;
    return new Command(['engines', ...args], {
      QUANREN_DATA_DIR: folder,
      ...(cache === undefined ? {} : { QUANREN_ENGINES_CACHE_DIR: cache }),
    }).end(UP_WITHIN_MS);
  }

  async function runJson(...args: string[]): Promise<{ code: number | null; reports: readonly Report[] }> {
    const { code, stdout, stderr } = await run(...args, '--json');
    assert.notEqual(stdout, '', stderr);
    return { code, reports: JSON.parse(stdout) as Report[] };
  }

  const pidsIn = (reports: readonly Report[]) =>
    reports.flatMap(({ processes }) => processes.map(({ pid }) => pid));
  const statesIn = (reports: readonly Report[]) => reports.map(({ engine, state }) => `${engine} ${state}`);

  let first: readonly Report[];

  it('up starts them, and says where they are and what they take', async () => {
    const { code, reports } = await runJson('up', ...THREE);
    assert.equal(code, 0);
    assert.deepEqual(statesIn(reports), ['kafka up', 'hbase up', 'redis up']);
    for (const { addresses, processes } of reports) {
      assert.match(Object.values(addresses)[0] ?? '', /^127\.0\.0\.1:\d+/);
      assert(processes.every(({ rssBytes, status }) => rssBytes > 1e6 && status === 'answers'));
    }
    first = reports;
  });

  it('up once more changes nothing', async () => {
    const { code, stdout, stderr } = await run('up', ...THREE);
    assert.equal(code, 0);
    assert.deepEqual(stderr.trim().split('\n').sort(), ['hbase: was up', 'kafka: was up', 'redis: was up']);
    for (const pid of pidsIn(first)) assert.match(stdout, new RegExp(`process ${pid}, \\d+ MiB`));
  });

  it('a second name runs beside the first', async () => {
    const { reports } = await runJson('up', 'redis', 'postgres', '--name', 'second');
    assert.deepEqual(statesIn(reports), ['redis up', 'postgres up']);
    assert.notDeepEqual(reports[0]?.addresses, first[2]?.addresses);
    assert.notDeepEqual(pidsIn(reports), pidsIn(first.slice(2)));
    assert.deepEqual(statesIn((await runJson('status', ...THREE)).reports), [
      'kafka up',
      'hbase up',
      'redis up',
    ]);
  });

  it('status names what was killed, and up brings it back where it was', async () => {
    const [kafkaPid] = pidsIn(first);
    assert(kafkaPid !== undefined);
    process.kill(kafkaPid, 'SIGKILL');
    const broken = await run('status');
    assert.equal(broken.code, 1);
    assert.match(broken.stdout, /^kafka +broken: kafka is dead$/m);
    assert.match(broken.stdout, /^hbase +up$/m);
    assert.match(broken.stdout, /^postgres +down$/m);
    const back = await run('up', 'kafka');
    assert.match(back.stderr, /^kafka: kafka is dead; starting it again …\nkafka: up after [\d.]+ s$/m);
    const { reports } = await runJson('status', ...THREE);
    assert.deepEqual(
      reports.map(({ addresses }) => addresses),
      first.map(({ addresses }) => addresses),
    );
    assert.deepEqual(pidsIn(reports).slice(1), pidsIn(first).slice(1));
    assert.notEqual(pidsIn(reports)[0], kafkaPid);
  });

  it('logs shows what they said', async () => {
    const { stdout } = await run('logs', 'redis', '--lines', '1');
    assert.match(stdout, /^redis \| .*Ready to accept connections\n$/);
  });

  it('down stops what is under the name, and nothing else', async () => {
    assert.deepEqual((await run('down')).stdout.split('\n').slice(0, 4), [
      'kafka     stopped',
      'hbase     stopped',
      'redis     stopped',
      'postgres  was down',
    ]);
    assert.deepEqual(processesOf(path.join(folder, 'engines', 'default')), []);
    const second = await runJson('status', 'redis', 'postgres', '--name', 'second');
    assert.deepEqual(statesIn(second.reports), ['redis up', 'postgres up']);
    assert.equal((await run('status')).code, 0);
    assert.equal((await run('status', 'redis')).code, 1);
    await run('down', '--name', 'second');
    assert.deepEqual(processesOf(folder), []);
  });

  it('ends with 2 on what it does not take', async () => {
    const wrong: [RegExp, ...string[]][] = [
      [/no engine 'hive', only: kafka, hbase, redis, postgres/, 'up', 'hive'],
      [/--name takes/, 'status', '--name', '../other'],
      [/--port takes/, 'up', 'redis', '--port', '6379'],
      [/--region-servers must be/, 'up', 'hbase', '--region-servers', '0'],
      [/--brokers must be/, 'up', 'kafka', '--brokers', 'many'],
      [/--brokers is for kafka/, 'up', 'redis', '--brokers', '3'],
      [/--region-servers is for hbase, .* \(redis\)/, 'up', 'redis', '--region-servers', '2'],
      [/--port is for redis, .* \(kafka\)/, 'up', 'kafka', '--port', 'redis=6379'],
      [/no logs: no engine was ever started as 'nothere'/, 'logs', '--name', 'nothere'],
      [/no logs: none of redis was ever started as 'nothere'/, 'logs', 'redis', '--name', 'nothere'],
      [/no port 'rest', only: master, regionserver, zookeeper/, 'up', 'hbase', '--port', 'hbase.rest=1'],
    ];
    for (const [message, ...args] of wrong) {
      const { code, stderr } = await run(...args);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
  });
});

/** The processes that work in the folder, or below it. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        if (!Number.isInteger(pid) || readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z '))
          return false;
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
      } catch {
        return false;
      }
    });
}
