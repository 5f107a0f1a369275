/** `quanren generate users`: synthetic users, into the wide table or into a file. */
import { randomUUID } from 'node:crypto';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { loadSettings } from '../../config/settings.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { reasonOf } from '../../errors/reason-of.js';
import { dayOfBusinessDate } from '../../platform/warehouse/business-date.js';
import { Duck } from '../../platform/warehouse/duck.js';
import { generateUsers, type SyntheticUsers } from '../../platform/warehouse/generate-users.js';
import { followLoad, printLoad } from '../load-following.js';
import { withPlatform } from '../platform-stack.js';
import { readWholeNumber } from '../whole-number.js';

const MAX_COUNT = 100_000_000;
const MAX_SEED = 2_147_483_647;

interface GenerateOptions {
  readonly count: string;
  readonly seed: string;
  readonly dt?: string;
  readonly out?: string;
  readonly json?: true;
}

export function addGenerateCommand(program: Command): void {
  const generate = program
    .command('generate')
    .description('Makes synthetic data.')
    .addHelpText('after', '\nExample:\n  quanren generate users --count 100000 --seed 7 --dt 2026-11-22');
  generate
    .command('users')
    .description('Makes synthetic users (uid syn_…), the same for the same count, seed and date.')
    .requiredOption('--count <n>', `how many, 1 to ${MAX_COUNT}`)
    .requiredOption('--seed <n>', `0 to ${MAX_SEED}`)
    .option('--dt <date>', 'the business date (default: the newest one of synthetic users)')
    .option('--out <file>', 'write a Parquet file, not the wide table; needs --dt, and no platform')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
A partition of the wide table that holds real users is never replaced. Crowds run over synthetic users only where --dt
names their date or there are no others; for a crowd with real members such a run writes its table and nothing else.

Examples:
  quanren generate users --count 5000000 --seed 1 --dt 2026-11-23
  quanren generate users --count 1000 --seed 1 --dt 2026-11-23 --out users.parquet`,
    )
    .action(async (options: GenerateOptions) => {
      const count = readWholeNumber('--count', options.count, 1, MAX_COUNT);
      const seed = readWholeNumber('--seed', options.seed, 0, MAX_SEED);
      if (options.dt !== undefined) dayOfBusinessDate(options.dt);
      if (options.out !== undefined) {
        if (options.dt === undefined) throw new QuanrenError('bad_request', '--out needs --dt.');
        await writeUsers({ count, seed, dt: options.dt }, path.resolve(options.out));
        const result = { dt: options.dt, users: count, file: options.out };
        console.log(options.json ? JSON.stringify(result) : `${count} synthetic users in ${options.out}`);
        return;
      }
      const json = { count, seed, ...(options.dt === undefined ? {} : { dt: options.dt }) };
      await withPlatform(loadSettings(process.env), async (client) => {
        const accepted = await client.request('/loads/synthetic', { method: 'POST', json });
        printLoad(
          await followLoad(client, accepted),
          options.json === true,
          ({ dt, users }) => `wide table of ${dt}: ${users} synthetic users`,
        );
      });
    });
}

async function writeUsers(users: SyntheticUsers, file: string): Promise<void> {
  const folder = path.dirname(file);
  await access(folder, constants.W_OK).catch((cause: unknown) => {
    throw new QuanrenError('bad_request', `--out: ${folder} cannot be written (${reasonOf(cause)}).`, {
      cause,
    });
  });
  const tempDirectory = await mkdtemp(path.join(tmpdir(), 'quanren-generate-'));
  const duck = await Duck.open({
    tempDirectory,
    memoryLimitBytes: Math.trunc(totalmem() / 4),
    threads: availableParallelism(),
  });
  // Beside the file: a rename works within one file system only.
  const temporary = path.join(folder, `.${path.basename(file)}.${randomUUID()}.part`);
  try {
    await duck.session((session) => generateUsers(session, users, temporary, file));
  } finally {
    duck.close();
    await rm(temporary, { force: true });
    await rm(tempDirectory, { recursive: true, force: true });
  }
}
