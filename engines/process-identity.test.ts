import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { identifyProcess, readProcessState, readRssBytes, signalProcess } from './process-identity.js';

describe('the identity of a process', { skip: process.platform !== 'linux' }, () => {
  it('follows it through pause, resume and end', async (t) => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    const exited = once(child, 'exit');
    const identity = identifyProcess(child.pid ?? 0);
    assert(identity !== undefined);
    const becomes = async (state: string) => {
      const deadline = Date.now() + 5_000;
      while (readProcessState(identity) !== state && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.equal(readProcessState(identity), state);
    };
    const loadedBy = Date.now() + 5_000;
    // Just after the fork it has not loaded its program yet.
    while (readRssBytes(identity) <= 1e6 && Date.now() < loadedBy) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert(readRssBytes(identity) > 1e6);
    assert(signalProcess(identity, 'SIGSTOP'));
    await becomes('paused');
    assert(signalProcess(identity, 'SIGCONT'));
    await becomes('running');
    assert(signalProcess(identity, 'SIGKILL'));
    await exited;
    assert.equal(readProcessState(identity), 'gone');
    assert.equal(signalProcess(identity, 'SIGKILL'), false);
    assert.equal(readRssBytes(identity), 0);
  });

  it('is not that of a later process with the same pid', () => {
    const own = identifyProcess(process.pid);
    assert(own !== undefined);
    const earlier = { pid: own.pid, start: `${BigInt(own.start) - 1n}` };
    assert.equal(readProcessState(earlier), 'gone');
    assert.equal(signalProcess(earlier, 'SIGKILL'), false);
    assert.equal(identifyProcess(2 ** 30), undefined);
  });
});
