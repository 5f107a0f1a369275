import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';

const MAIN = path.resolve(import.meta.dirname, '../../../cli/main.js');

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'cron', 'next', ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('quanren cron next', () => {
  it('shows the times in the zone', () => {
    const { status, stdout } = run(
      '0 0 2 * * ?',
      ...['--tz', 'America/New_York', '--from', '2026-10-31T12:00', '--count', '2'],
    );
    assert.equal(status, 0);
    assert.equal(stdout, '2026-11-01T02:00:00-05:00\n2026-11-02T02:00:00-05:00\n');
  });

  it('prints an array of instants with --json', () => {
    const from = ['--tz', 'Asia/Shanghai', '--from', '2026-11-23T10:00:00+08:00', '--json'];
    assert.deepEqual(JSON.parse(run('0 2 * * *', ...from, '--count', '2').stdout), [
      '2026-11-23T18:00:00.000Z',
      '2026-11-24T18:00:00.000Z',
    ]);
    assert.equal(run('0 0 2 30 2 ?', ...from).stdout, '[]\n');
  });

  it('ends with 2 and says what is wrong', () => {
    const wrong: [RegExp, ...string[]][] = [
      [/in hour, '25'/, '0 0 25 * * ?'],
      [/no time zone 'Mars'/, '0 2 * * *', '--tz', 'Mars'],
      [/'yesterday' is not a time/, '0 2 * * *', '--from', 'yesterday'],
      [/--count/, '0 2 * * *', '--count', '0'],
    ];
    for (const [message, ...args] of wrong) {
      const { status, stdout, stderr } = run(...args);
      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.match(stderr, message);
    }
  });
});
