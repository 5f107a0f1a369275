/** `quanren crowd`: runs crowds over the wide table, and shows how large a rule's crowd would be. */
import path from 'node:path';
import { type Command, Option } from 'commander';
import { loadSettings } from '../../config/settings.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { type Diagnostic, formatDiagnostic, JsonSyntaxError, lineAt, parseJson } from '../../rules/index.js';
import type { PlatformClient } from '../platform-client.js';
import { withPlatform } from '../platform-stack.js';
import { nameOf, readText } from '../text-input.js';

/** What the platform's API tells of a run. */
interface RunAnswer {
  readonly runId: number;
  readonly batchId: string;
  readonly crowdCode: string;
  readonly dt: string;
  readonly origin: 'real' | 'synthetic' | null;
  readonly status: 'queued' | 'running' | 'committed' | 'failed';
  readonly step: string | null;
  readonly updatesStore: boolean | null;
  readonly counts: { readonly entered: number; readonly left: number; readonly total: number } | null;
  readonly error: string | null;
}

interface RunOptions {
  readonly dt?: string;
  readonly export?: 'csv' | 'parquet';
  readonly to?: string;
  readonly json?: true;
}

/** At most so many runs may be unfinished, and the API shows as many on a page. */
const PAGE = 1_000;
const PREVIEW_TIMEOUT_MS = 90_000;

export function addCrowdCommand(program: Command): void {
  const crowd = program
    .command('crowd')
    .description('Computes crowds.')
    .addHelpText('after', '\nExample:\n  quanren crowd run premium_users --dt 1998-06-30');
  crowd
    .command('run')
    .argument('[codes...]', 'the crowds (default: all that are active)')
    .description('Computes crowds in one scan: tables, store, counts, messages.')
    .option('--dt <date>', 'the business date (default: the newest one of real users)')
    .addOption(
      new Option('--export <format>', 'also write a file for each crowd').choices(['csv', 'parquet']),
    )
    .option('--to <folder>', 'where exports go (default: the platform’s export root)')
    .option('--json', 'an array of runs')
    .addHelpText(
      'after',
      `
Exit code 1 if a run or its export failed. Where authentication is on, exports stay within the platform’s export root\n(the setting platform.exportRoot).

Example:
  quanren crowd run big_spenders_30d premium_users --dt 1998-06-30 --export csv --to /tmp/crowds`,
    )
    .action(async (codes: string[], options: RunOptions) => {
      if (options.to !== undefined && options.export === undefined)
        throw new QuanrenError('bad_request', '--to needs --export csv or --export parquet.');
      await withPlatform(loadSettings(process.env), (client) => run(client, codes, options));
    });
  crowd
    .command('preview')
    .argument('<rule>', 'a file with the rule in JSON; - is standard input')
    .description('Shows the exact size of a rule’s crowd, and ten users of it.')
    .option('--dt <date>', 'the business date (default: the newest one of real users)')
    .option('--json', 'one JSON object')
    .addHelpText('after', '\nExample:\n  quanren crowd preview rule.json --dt 1998-06-30')
    .action(async (rule: string, options: { dt?: string; json?: true }) => {
      const text = await readText(rule);
      requireJson(rule, text);
      await withPlatform(loadSettings(process.env), (client) => preview(client, text, options));
    });
}

async function run(client: PlatformClient, codes: readonly string[], options: RunOptions): Promise<void> {
  const folder = options.to === undefined ? {} : { folder: path.resolve(options.to) };
  const json = {
    crowdCodes: codes,
    ...(options.dt === undefined ? {} : { dt: options.dt }),
    ...(options.export === undefined ? {} : { export: { format: options.export, ...folder } }),
  };
  const started = (await client.request('/runs', { method: 'POST', json })) as {
    readonly runs: readonly RunAnswer[];
  };
  const batchId = started.runs[0]?.batchId ?? '';
  let shown = '';
  const { items } = await client.follow<{ readonly items: readonly RunAnswer[] }>(
    `/runs?batchId=${batchId}&limit=${PAGE}`,
    (page) => page.items.every(hasEnded),
    (page) => {
      const done = page.items.filter(hasEnded).length;
      const step = page.items.find(({ status }) => status === 'running')?.step ?? 'waiting';
      const of = `${done} of ${page.items.length} crowds done`;
      const progress = done === page.items.length ? of : `${of}; ${step}`;
      if (progress !== shown) console.error(progress);
      shown = progress;
    },
  );
  const runs = [...items].reverse();
  if (runs.some(({ error }) => error !== null)) process.exitCode = 1;
  if (options.json) console.log(JSON.stringify(runs));
  else for (const ended of runs) console.log(describe(ended));
}

function hasEnded({ status }: RunAnswer): boolean {
  return status === 'committed' || status === 'failed';
}

function describe({ crowdCode, dt, origin, counts, updatesStore, error }: RunAnswer): string {
  if (counts === null) return `${crowdCode}: failed. ${error}`;
  const size = `${crowdCode}: ${describeUsers(counts.total, dt, origin)}`;
  const inForce = origin === 'synthetic' ? 'real users or a newer date stay' : 'a newer date is';
  const result =
    updatesStore === false
      ? `${size}; ${inForce} in force, so only the table was written`
      : `${size}, ${counts.entered} entered, ${counts.left} left`;
  return error === null ? result : `${result}. ${error}`;
}

function describeUsers(users: number, dt: string, origin: RunAnswer['origin']): string {
  return `${users} ${origin === 'synthetic' ? 'synthetic users' : 'users'} on ${dt}`;
}

/** Throws `bad_request` with the place in the file: the platform would tell of a place in what it was sent. */
function requireJson(source: string, text: string): void {
  try {
    parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new QuanrenError(
      'bad_request',
      `${nameOf(source)} is not JSON: in line ${lineAt(text, error.offset)}, ${error.message}.`,
      { cause: error },
    );
  }
}

/** The rule's text travels as it is: numbers keep all their digits. */
async function preview(
  client: PlatformClient,
  rule: string,
  options: { readonly dt?: string; readonly json?: true },
): Promise<void> {
  const dt = options.dt === undefined ? '' : `, "dt": ${JSON.stringify(options.dt)}`;
  try {
    const answer = (await client.request('/rules/preview', {
      method: 'POST',
      body: new Blob([`{"rule": ${rule}${dt}}`]).stream(),
      headers: { 'content-type': 'application/json' },
      timeoutMs: PREVIEW_TIMEOUT_MS,
    })) as Pick<RunAnswer, 'dt' | 'origin'> & {
      readonly userCount: number;
      readonly sampleUids: readonly string[];
    };
    if (options.json) console.log(JSON.stringify(answer));
    else {
      const { userCount, origin, sampleUids } = answer;
      console.log(`${describeUsers(userCount, answer.dt, origin)}\n${sampleUids.join('\n')}`.trimEnd());
    }
  } catch (error) {
    if (error instanceof QuanrenError && Array.isArray(error.extra.diagnostics)) {
      for (const diagnostic of error.extra.diagnostics as Diagnostic[])
        console.error(formatDiagnostic(diagnostic));
    }
    throw error;
  }
}
