import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLock, withLock } from './lock.js';

const unique = `lock test ${process.pid}`;

describe('a lock', { skip: process.platform !== 'linux' }, () => {
  it('has one holder at a time', async () => {
    const release = await tryLock(unique);
    assert(release !== undefined);
    assert.equal(await tryLock(unique), undefined);
    const other = await tryLock(`${unique} of another`);
    assert(other !== undefined);
    other();
    release();
    const again = await tryLock(unique);
    assert(again !== undefined);
    again();
  });

  it('lets one after the other work, and those after a failure', async () => {
    let working = 0;
    const work = async (fails: boolean): Promise<void> => {
      working += 1;
      assert.equal(working, 1);
      await sleep(5);
      working -= 1;
      if (fails) throw new Error('as wanted');
    };
    const outcomes = await Promise.allSettled(
      [false, true, false, true, false].map((fails) => withLock(unique, 20_000, () => work(fails))),
    );
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), [
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
  });

  it('is waited for no longer than wanted', async () => {
    const release = await tryLock(unique);
    try {
      await assert.rejects(
        withLock(unique, 60, () => Promise.resolve()),
        { code: 'unavailable' },
      );
    } finally {
      release?.();
    }
  });

  it('ends with its holder, even one that is killed', async () => {
    const module = new URL('./lock.js', import.meta.url).href;
    const script = `const { tryLock } = await import(process.argv[1]); await tryLock(process.argv[2]); console.log('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, module, unique], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    assert.equal(await tryLock(unique), undefined);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const release = await tryLock(unique);
    assert(release !== undefined);
    release();
  });
});
