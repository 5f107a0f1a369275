/** What holds for every engine, tried with the smallest one. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadSettings } from '../../../config/settings.js';
import type { Engine, EngineOptions } from '../../../engines/engine.js';
import { exchange } from '../../../engines/exchange.js';
import { fetchEngineFiles } from '../../../engines/jars.js';
import { identifyProcess, readProcessState } from '../../../engines/process-identity.js';
import { findEngine, startEngine } from '../../../engines/start-engine.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { findFreePort } from '../../support/postgres.js';

const cacheFolder = loadSettings(process.env)['engines.cacheDir'];

/** An inline command of Redis's protocol; the first line of the answer. */
async function command(engine: Engine, text: string): Promise<string> {
  const port = engine.ports.redis ?? 0;
  const isWhole = (answer: Buffer) => answer.includes('\r\n');
  const answer = await exchange(port, Buffer.from(`${text}\r\n`), isWhole, AbortSignal.timeout(5_000));
  return answer.toString().split('\r\n')[0] ?? '';
}

describe('an engine', () => {
  let root: string;
  let options: EngineOptions;
  let redis: Engine;

  before(async () => {
    root = mkdtempSync(path.join(tmpdir(), 'quanren-engine-'));
    options = { folder: path.join(root, 'redis'), cacheFolder, settings: { appendfsync: 'always' } };
    redis = await startEngine('redis', options);
  });

  after(async () => {
    for (const name of readdirSync(root)) {
      await findEngine('redis', { folder: path.join(root, name), cacheFolder }).kill();
    }
    rmSync(root, { recursive: true, force: true, maxRetries: 10 });
  });

  const pid = () => redis.process('redis').pid;

  it('is found by whoever looks into its folder, and started once', async () => {
    const found = findEngine('redis', options);
    assert.deepEqual([...(await found.status())], [['redis', 'answers']]);
    assert.deepEqual(found.ports, redis.ports);
    assert.deepEqual(await Promise.all([found.start(), redis.start()]), [[], []]);
    assert.equal(found.process('redis').pid, pid());
  });

  it('starts one server when two start it at once', async () => {
    const folder = path.join(root, 'twice');
    const both = [findEngine('redis', { ...options, folder }), findEngine('redis', { ...options, folder })];
    const started = await Promise.all(both.map((each) => each.start()));
    assert.deepEqual(started.flat(), ['redis']);
    const [first, second] = both;
    assert.equal(first?.process('redis').pid, second?.process('redis').pid);
  });

  it('comes back after kill -9 on its port with its data', async () => {
    assert.equal(await command(redis, 'SET kept 1'), '+OK');
    const { ports } = redis;
    const server = redis.process('redis');
    const before = pid();
    await server.kill();
    const found = findEngine('redis', options);
    assert.deepEqual([...(await found.status())], [['redis', 'dead']]);
    assert.deepEqual(await found.start(), ['redis']);
    assert.notEqual(found.process('redis').pid, before);
    assert.deepEqual(found.ports, ports);
    assert.equal(await command(found, 'GET kept'), '$1');
    assert.equal(server.state, 'dead');
    await redis.start();
    assert.equal(server.pid, found.process('redis').pid);
    assert.equal(server.state, 'running');
  });

  it('is silent while it is paused, and answers when it is resumed or started', async () => {
    const server = redis.process('redis');
    const statusOf = async () => (await findEngine('redis', options).status()).get('redis');
    await server.pause();
    assert.equal(server.state, 'paused');
    assert.equal(await statusOf(), 'paused');
    await server.resume();
    assert.equal(await statusOf(), 'answers');
    await server.pause();
    assert.deepEqual(await redis.start(), []);
    assert.equal(await statusOf(), 'answers');
    assert.equal(await command(redis, 'GET kept'), '$1');
  });

  it('stops in order, keeps its data, and may be given another port', async () => {
    assert.deepEqual(await redis.stop(), ['redis']);
    assert.deepEqual(await redis.stop(), []);
    assert.deepEqual([...(await redis.status())], [['redis', 'stopped']]);
    const port = await findFreePort();
    redis = await startEngine('redis', { ...options, ports: { redis: port } });
    assert.equal(redis.ports.redis, port);
    assert.equal(await command(redis, 'GET kept'), '$1');
  });

  it('refuses another port while it is up, a port it does not have, and one that is taken', async () => {
    const refuse = (code: string, message: RegExp, ports: Record<string, number>, folder: string) =>
      assert.rejects(startEngine('redis', { ...options, folder, ports }), (error: unknown) => {
        assert(error instanceof QuanrenError);
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    await refuse('conflict', /is up with port/, { redis: 1 }, options.folder);
    const folder = path.join(root, 'refused');
    await refuse('bad_request', /no port 'radish', only: redis/, { radish: 1 }, folder);
    const taken = createServer();
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, '127.0.0.1', () => {
        const address = taken.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    try {
      await refuse('set_up', new RegExp(`Port ${port} .* is in use`), { redis: port }, folder);
    } finally {
      taken.close();
    }
  });

  it('fails with the end of the log when the server ends at once, and leaves nothing', async () => {
    const folder = path.join(root, 'wrong');
    const startedAt = performance.now();
    await assert.rejects(startEngine('redis', { folder, cacheFolder, settings: { maxmemory: 'much' } }), {
      code: 'set_up',
      message: /redis ended while it started.*redis\.log:[\s\S]*argument must be a memory value/,
    });
    assert(performance.now() - startedAt < 5_000);
    assert.deepEqual(
      [...(await findEngine('redis', { folder, cacheFolder }).status())],
      [['redis', 'stopped']],
    );
  });

  it('takes a process with a recycled pid for a stranger, and leaves it alone', async () => {
    const folder = path.join(root, 'recycled');
    mkdirSync(folder);
    const own = identifyProcess(process.pid);
    assert(own !== undefined);
    const earlier = { pid: own.pid, start: `${Number(own.start) - 1}` };
    const record = { layout: 'one server', ports: { redis: 1 }, processes: { redis: earlier } };
    writeFileSync(path.join(folder, 'engine.json'), JSON.stringify(record));
    const engine = findEngine('redis', { folder, cacheFolder });
    assert.deepEqual([...(await engine.status())], [['redis', 'dead']]);
    await assert.rejects(engine.process('redis').kill(), /does not run/);
    assert.deepEqual(await engine.stop(), []);
    assert.equal(readProcessState(own), 'running');
  });
});

describe('fetching', () => {
  it('is safe for two at once, and leaves what others fetch alone', async () => {
    const cache = mkdtempSync(path.join(tmpdir(), 'quanren-cache-'));
    try {
      const others = path.join(cache, 'unfinished-other');
      mkdirSync(others);
      const files = { engine: 'redis', goal: 'unpack-dependencies' } as const;
      const said: string[] = [];
      const fetch = () => fetchEngineFiles(files, cache, (text) => said.push(text));
      await Promise.all([fetch(), fetch()]);
      await fetch();
      assert.equal(said.length, 2);
      const [folder, other, ...more] = readdirSync(cache).sort();
      assert.match(folder ?? '', /^redis-[0-9a-f]{12}$/);
      assert.deepEqual([other, more], ['unfinished-other', []]);
      const server = readFileSync(
        path.join(cache, folder ?? '', 'files', 'redis-server-6.2.6-v5-linux-amd64'),
      );
      assert.equal(server.toString('latin1', 1, 4), 'ELF');
    } finally {
      rmSync(cache, { recursive: true, force: true });
    }
  });

  it('says what to do without Maven, without Java and without network', async () => {
    const cache = mkdtempSync(path.join(tmpdir(), 'quanren-cache-'));
    const { PATH, MAVEN_OPTS } = process.env;
    const refused = (message: RegExp) =>
      assert.rejects(
        fetchEngineFiles({ engine: 'kafka', goal: 'copy-dependencies' }, cache, () => undefined),
        { code: 'set_up', message },
      );
    try {
      process.env.PATH = cache;
      await refused(/needs Java 17 or later, .* Install it: apt-get install openjdk-17-jre-headless/);
      writeFileSync(path.join(cache, 'java'), '#!/bin/sh\necho \'openjdk version "11.0.2"\' >&2\n', {
        mode: 0o755,
      });
      await refused(/the 'java' here is 11\. Install it/);
      writeFileSync(path.join(cache, 'java'), '#!/bin/sh\necho \'openjdk version "17.0.2"\' >&2\n', {
        mode: 0o755,
      });
      await refused(/needs Maven 3, .* Install it: apt-get install maven/);
      rmSync(path.join(cache, 'java'));
      process.env.PATH = PATH;
      // A home without a local repository, whose settings say that there is no network.
      mkdirSync(path.join(cache, 'home', '.m2'), { recursive: true });
      writeFileSync(
        path.join(cache, 'home', '.m2', 'settings.xml'),
        '<settings><offline>true</offline></settings>',
      );
      process.env.MAVEN_OPTS = `-Duser.home=${path.join(cache, 'home')}`;
      await refused(/Maven could not fetch kafka .* needs the network.*\n\[ERROR\]/);
      assert.deepEqual(readdirSync(cache), ['home']);
    } finally {
      process.env.PATH = PATH;
      if (MAVEN_OPTS === undefined) delete process.env.MAVEN_OPTS;
      else process.env.MAVEN_OPTS = MAVEN_OPTS;
      rmSync(cache, { recursive: true, force: true });
    }
    assert(!existsSync(cache));
  });
});
