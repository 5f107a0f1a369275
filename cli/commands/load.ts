/** `quanren load purchases`: a purchases file through the layers of the warehouse. */
import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { loadSettings } from '../../config/settings.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { reasonOf } from '../../errors/reason-of.js';
import { followLoad, printLoad } from '../load-following.js';
import { withPlatform } from '../platform-stack.js';

/** For the upload alone; the load itself is followed as long as it takes. */
const UPLOAD_TIMEOUT_MS = 600_000;

export function addLoadCommand(program: Command): void {
  const load = program
    .command('load')
    .description('Loads files into the warehouse.')
    .addHelpText('after', '\nExample:\n  quanren load purchases data/cdnow_master.txt');
  load
    .command('purchases')
    .argument('<file>', 'fixed columns as in data/cdnow_master.txt: customer id, yyyymmdd, CDs, dollars')
    .description('Loads a purchases file; loading it again adds nothing.')
    .option('--dt <date>', 'the business date (default: the newest purchase date in the file)')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
The first line is a header, as in that file. A purchase after the business date is kept and counts for later dates. Bad lines are kept aside, with the reason.
Builds the wide table of the business date; those of later dates stay as they are, and are named.

Example:
  quanren load purchases data/cdnow_master.txt --dt 1998-06-30`,
    )
    .action(async (file: string, options: { dt?: string; json?: true }) => {
      const content = await openFile(file);
      const query = new URLSearchParams({ fileName: path.basename(file) });
      if (options.dt !== undefined) query.set('dt', options.dt);
      await withPlatform(loadSettings(process.env), async (client) => {
        const accepted = await client.request(`/loads/purchases?${query}`, {
          method: 'POST',
          body: content.stream(),
          headers: { 'content-type': 'application/octet-stream' },
          timeoutMs: UPLOAD_TIMEOUT_MS,
        });
        printLoad(await followLoad(client, accepted), options.json === true, describe);
      });
    });
}

async function openFile(file: string): Promise<Blob> {
  try {
    if (!(await stat(file)).isFile()) throw new Error('it is not a file');
    return await openAsBlob(file);
  } catch (cause) {
    throw new QuanrenError('bad_request', `'${file}' cannot be read (${reasonOf(cause)}).`, { cause });
  }
}

function describe(result: Readonly<Record<string, unknown>>): string {
  const rejected = Object.entries((result.rejected ?? {}) as Readonly<Record<string, number>>).filter(
    ([, lines]) => lines > 0,
  );
  const outdated = (result.outdated ?? []) as readonly string[];
  const lines = [
    `${result.alreadyLoaded === true ? 'already loaded' : 'loaded'}: ${result.purchases} purchases, in the partition ${result.partition}`,
    ...rejected.map(([reason, count]) => `bad lines: ${count} (${reason})`),
    ...(Number(result.afterDt) > 0 ? [`after ${result.dt}, so not counted in it: ${result.afterDt}`] : []),
    `wide table of ${result.dt}: ${result.users} users`,
    ...outdated.map(
      (dt) =>
        `wide table of ${dt}: older than this load, without it; to build it anew, load again with --dt ${dt}`,
    ),
  ];
  return lines.join('\n');
}
