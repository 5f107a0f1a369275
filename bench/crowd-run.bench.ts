/**
 * One run of 100 crowds over 5 M synthetic users, then a second one after every rule has moved a little. Real Postgres, LMDB,
 * bus and DuckDB (2 threads, 4 GB) in the temporary folder; one line a figure, wall-clock time.
 *
 *   npm run bench -- crowd-run [--users 5000000]
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createCatalogDatabase, crowdDefinition } from '../test/support/catalog.js';
import { startTestPostgres } from '../test/support/postgres.js';
import { openRunPlatform, registerDemo, runCrowds } from '../test/support/run-platform.js';

const { values } = parseArgs({ options: { users: { type: 'string', default: '5000000' } } });
const USERS = Number(values.users);
const CROWDS = 100;
const DT = '2026-06-30';

const tag = (tag_code: string, op: string, value: unknown) => ({ tag_code, op, value });
const all = (...conditions: readonly unknown[]) => ({ logic: 'AND', conditions });
const not = (condition: unknown) => ({ logic: 'NOT', conditions: [condition] });

/** Rules of five shapes, each crowd another one; `shift` moves every bound a little. */
function rule(number: number, shift: number): unknown {
  const k = Math.floor(number / 5);
  const rules = [
    all(tag('age', '>', 50 + k + shift), tag('city', 'IN', ['上海', '杭州', '成都'])),
    tag('total_spent_30d', '>=', 300.5 + k * 10 + shift),
    all(
      tag('city', 'IN', ['北京', '上海', '广州', '深圳']),
      not(tag('gender', '=', 'F')),
      tag('purchase_count', '>', 20 + k + shift),
    ),
    all(
      tag('last_purchase_date', '<=', { relative: `-${300 + 5 * k + shift}d` }),
      tag('is_premium_user', '=', true),
    ),
    all(
      tag('is_premium_user', '=', true),
      tag('age', 'BETWEEN', [20 + k, 22 + k]),
      tag('avg_order_value', '<', 100 + shift),
    ),
  ];
  return rules[number % 5];
}

const print = (text: string) => process.stdout.write(`${text}\n`);
const seconds = (fromMs: number, toMs: number) => `${((toMs - fromMs) / 1_000).toFixed(1)} s`;
const count = (value: number) => value.toLocaleString('en');

const folder = mkdtempSync(path.join(tmpdir(), 'quanren-bench-'));
const postgres = await startTestPostgres();
const connection = await createCatalogDatabase(postgres);
const reached = new Map<string, number>();
const platform = await openRunPlatform({
  folder,
  connection,
  memoryLimitBytes: 4e9,
  onStep: (step) => {
    const [kind = ''] = step.split(' ');
    if (!reached.has(`first ${kind}`)) reached.set(`first ${kind}`, performance.now());
    reached.set(`last ${kind}`, performance.now());
  },
});

async function saveRules(shift: number): Promise<void> {
  for (let number = 0; number < CROWDS; number += 1) {
    await platform.catalog.crowds.save(`crowd_${number}`, crowdDefinition(rule(number, shift)), {
      principal: 'bench',
      expected: shift === 0 ? 'absent' : 1,
    });
  }
}

async function runAll(name: string): Promise<void> {
  reached.clear();
  const startedMs = performance.now();
  const runs = await runCrowds(platform, DT);
  if (platform.errors.length > 0) throw platform.errors[0];
  const endedMs = performance.now();
  const at = (step: string) => reached.get(step) ?? Number.NaN;
  const sum = (pick: 'total' | 'entered' | 'left') =>
    runs.reduce((total, run) => total + (run.counts?.[pick] ?? 0), 0);
  const changes = sum('entered') + sum('left');
  print(`${name}: ${runs.length} crowds, ${count(sum('total'))} memberships, ${count(changes)} changes`);
  print(`  scan to bit masks              ${seconds(at('last begin'), at('last scan'))}`);
  print(`  ${CROWDS} crowd tables as Parquet    ${seconds(at('last scan'), at('last table'))}`);
  print(`  run, Parquet output included   ${seconds(startedMs, at('last table'))}`);
  print(`  difference, to the first batch ${seconds(at('last table'), at('first store'))}`);
  print(`  difference to store and bus    ${seconds(at('first store'), at('first commit'))}`);
  print(`  commit and clean up            ${seconds(at('first commit'), endedMs)}`);
  print(`  peak memory of the process     ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`);
}

try {
  await registerDemo(platform, []);
  await saveRules(0);
  const startedMs = performance.now();
  await platform.warehouse.generateUsers({ count: USERS, seed: 1, dt: DT });
  print(`generate ${count(USERS)} users: ${seconds(startedMs, performance.now())}`);
  const { ruleJson } = await platform.catalog.crowds.get('crowd_2');
  for (const json of [
    ruleJson,
    JSON.stringify(rule(7, 0)),
    JSON.stringify(all(...[0, 2, 3].map((n) => not(rule(n, 0))))),
  ]) {
    const previewMs = performance.now();
    const { userCount } = await platform.warehouse.previewRule(await platform.catalog.checkRule(json), {});
    print(`preview of a rule, ${count(userCount)} users: ${seconds(previewMs, performance.now())}`);
  }
  await runAll('first run');
  await saveRules(1);
  await runAll('second run');
  print(`store: ${Math.round(statSync(path.join(folder, 'store', 'memberships.mdb')).size / 2 ** 20)} MiB`);
} finally {
  await platform.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
