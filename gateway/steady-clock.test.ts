import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { mock, test } from 'node:test';
import { anchorClock, steadyClock } from './steady-clock.js';

test('it goes with the system’s clock, and not with its steps', () => {
  const now = steadyClock(anchorClock());
  assert.ok(Math.abs(now() - Date.now()) < 50);
  const before = now();
  for (const stepMs of [3_600_000, -3_600_000]) {
    mock.method(Date, 'now', () => before + stepMs);
    assert.ok(Math.abs(now() - before) < 1_000);
    mock.restoreAll();
  }
});

test('another process has the same time by the same anchor, whatever its own clock said when it started', () => {
  const anchor = anchorClock();
  const hourAgo = { ...anchor, epochMs: anchor.epochMs - 3_600_000 };
  const module = path.resolve(import.meta.dirname, 'steady-clock.js');
  const script = `import { steadyClock } from ${JSON.stringify(module)};
    console.log(steadyClock(${JSON.stringify(hourAgo)})());`;
  const before = steadyClock(hourAgo)();
  const other = Number(execFileSync(process.execPath, ['--input-type=module', '-e', script]));
  assert.ok(other >= before && other <= steadyClock(hourAgo)(), `${before} ≤ ${other}`);
});
