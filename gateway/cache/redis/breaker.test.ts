import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Breaker, REST, STEADY_MS } from './breaker.js';

/** Under a clock of its own; `probe` answers as `isUp` says. */
function createBreaker() {
  mock.timers.enable({ apis: ['setTimeout'] });
  const world = { isUp: true, nowMs: 0, probes: 0, changes: [] as (string | undefined)[] };
  const breaker = new Breaker({
    probe: async () => {
      world.probes += 1;
      if (!world.isUp) throw new Error('down');
    },
    onChange: (reason) => world.changes.push(reason),
    now: () => world.nowMs,
  });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10) {
      world.nowMs += 10;
      mock.timers.tick(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { breaker, world, pass };
}

test('it begins open, and closes with the first probe that succeeds', async (t) => {
  t.after(() => mock.timers.reset());
  const { breaker, world, pass } = createBreaker();
  assert.equal(breaker.isOpen, true);
  breaker.hurry();
  await pass(10);
  assert.equal(breaker.isOpen, false);
  assert.deepEqual(world.changes, [undefined]);
});

test('one failure opens it; probes come ever rarer; each reason is told once', async (t) => {
  t.after(() => mock.timers.reset());
  const { breaker, world, pass } = createBreaker();
  breaker.hurry();
  await pass(10);
  world.isUp = false;
  for (let i = 0; i < 100; i += 1) breaker.fail('slow');
  assert.equal(breaker.isOpen, true);
  await pass(10_000);
  assert.ok(world.probes > 8 && world.probes < 30, `${world.probes} probes`);
  assert.deepEqual(world.changes, [undefined, 'slow', 'down']);
  world.isUp = true;
  await pass(REST.longestMs);
  assert.equal(breaker.isOpen, false);
  assert.deepEqual(world.changes, [undefined, 'slow', 'down', undefined]);
});

test('what comes and goes is tried ever rarer, until it was steady', async (t) => {
  t.after(() => mock.timers.reset());
  const { breaker, world, pass } = createBreaker();
  let failures = 0;
  const failWheneverClosed = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10) {
      if (!breaker.isOpen) {
        failures += 1;
        breaker.fail('flaps');
      }
      await pass(10);
    }
  };
  breaker.hurry();
  await failWheneverClosed(10_000);
  assert.ok(failures < 30, `${failures} failures in ten seconds`);
  await pass(REST.longestMs + STEADY_MS + 10);
  assert.equal(breaker.isOpen, false);
  breaker.fail('once');
  await pass(60);
  assert.equal(breaker.isOpen, false, 'the shortest rest again');
  world.isUp = false;
});

test('once ended it stays open, and asks nothing', async (t) => {
  t.after(() => mock.timers.reset());
  const { breaker, world, pass } = createBreaker();
  breaker.end();
  breaker.hurry();
  breaker.fail('late');
  await pass(5_000);
  assert.equal(breaker.isOpen, true);
  assert.equal(world.probes, 0);
  assert.deepEqual(world.changes, []);
});
