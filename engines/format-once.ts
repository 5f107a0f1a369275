import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes a folder that a server needs to find formatted: under another name, renamed when whole, so that one that was
 * interrupted is done again and one that is there is left alone.
 */
export async function formatOnce(folder: string, format: (fresh: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return;
  const fresh = `${folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(path.dirname(folder), { recursive: true });
  await format(fresh);
  renameSync(fresh, folder);
}
