// `npm test` and its parts. Usage: node scripts/test.mjs all | check | unit | faults [NAME | pairs] | differential [-- ARGS] | FILE…
//   all           check, then every test; closes with one line of counts
//   check         format, lint, types, floating promises, dependency directions
//   unit          the tests beside the code (no server is started)
//   faults        every scene of the fault suite, or those whose name has NAME, or all pairs
//   differential  the big differential run: --rules N --rows N --seed S
//   FILE…         these test files alone, as source paths (rules/parse.test.ts)
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { run as runTests } from 'node:test';
import { spec } from 'node:test/reporters';
import { root, run, runTool, setUp } from './setup.mjs';

const SKIPPED = new Set(['node_modules', 'dist', '.git', '.quanren']);
const LONGEST_FILE_MS = 15 * 60_000;
const LONGEST_FAULTS_MS = 3 * 60 * 60_000;

function testFiles(folder = root) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : testFiles(file);
    return entry.name.endsWith('.test.ts') ? [path.relative(root, file)] : [];
  });
}

const compiled = (source) => path.join(root, 'dist', source.replace(/\.ts$/, '.js'));

/** A test file that needs a server says so by lying in test/; the ones beside the code need none. */
const isUnit = (source) => !source.startsWith(`test${path.sep}`);

/** What the tests need beside Node and npm: all of it is looked for before anything takes time. */
function checkTools() {
  const tools = JSON.parse(readFileSync(path.join(root, 'engines', 'tools.json'), 'utf8'));
  const missing = Object.entries(tools).filter(
    ([tool, { check: args }]) => spawnSync(tool, args).status !== 0,
  );
  if (missing.length === 0) return;
  for (const [tool, { what, install }] of missing) {
    console.error(
      `quanren: the tests need ${what}, and '${tool}' cannot be run here. Install it: ${install}`,
    );
  }
  console.error('quanren: npm run test:unit needs none of them.');
  process.exit(1);
}

function check() {
  runTool('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']);
  runTool('eslint/bin/eslint.js', ['--max-warnings', '0', '.']);
  runTool('dependency-cruiser/bin/dependency-cruise.mjs', [
    '--config',
    '.dependency-cruiser.cjs',
    '.',
    '--output-type',
    'err',
  ]);
}

async function test(sources, timeout = LONGEST_FILE_MS) {
  let [passed, failed, skipped] = [0, 0, 0];
  const failures = [];
  const stream = runTests({ files: sources.map(compiled), concurrency: 2, timeout });
  const count = (data, add) => {
    if (data.details?.type === 'suite') return;
    // With process isolation each file is reported as a test of its own around those it holds.
    if (data.nesting === 0 && sources.some((source) => compiled(source) === data.name)) return;
    add();
  };
  stream.on('test:pass', (data) =>
    count(data, () => {
      if (data.skip === undefined) passed += 1;
      else skipped += 1;
    }),
  );
  stream.on('test:fail', (data) => {
    failed += data.details?.type === 'suite' ? 0 : 1;
    failures.push(data.name);
  });
  const reporter = new spec();
  stream.compose(reporter).pipe(process.stdout);
  await new Promise((resolve) => reporter.on('end', resolve));
  if (failures.length > 0) console.log(`\nfailed: ${failures.join(', ')}`);
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exit(failures.length === 0 && passed > 0 ? 0 : 1);
}

const [what = 'all', ...rest] = process.argv.slice(2);
if (what === 'all' || what === 'faults') checkTools();
setUp();
if (what === 'check') check();
else if (what === 'all') {
  check();
  await test(testFiles());
} else if (what === 'unit') await test(testFiles().filter(isUnit));
else if (what === 'faults') {
  process.env.FAULTS = rest[0] ?? 'all';
  await test(['test/faults/faults.test.ts'], LONGEST_FAULTS_MS);
} else if (what === 'differential')
  run(process.execPath, ['dist/test/differential/run.js', ...rest], { stdio: 'inherit' });
else await test([what, ...rest]);
