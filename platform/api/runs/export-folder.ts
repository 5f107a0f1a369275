/**
 * Where a run may export to. The platform writes with rights that a caller need not have, so exports stay within the
 * export root, wherever symbolic links lead; only a caller who is known to be a person of this very machine, where
 * nobody is asked who they are, may name any folder.
 */
import { access, constants, realpath } from 'node:fs/promises';
import path from 'node:path';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { reasonOf } from '../../../errors/reason-of.js';
import { makeFolder } from '../../warehouse/files.js';

export interface ExportPlace {
  /** Absolute. */
  readonly root: string;
  readonly mayLeaveRoot: boolean;
}

/**
 * The folder, made and writable, without symbolic links; the root itself where none is wanted, and a relative one is
 * within the root. Throws `forbidden` where it is outside, `bad_request` where it cannot be written.
 */
export async function prepareExportFolder(
  wanted: string | undefined,
  { root, mayLeaveRoot }: ExportPlace,
): Promise<string> {
  const asked = path.resolve(root, wanted ?? '.');
  try {
    const folder = await followLinks(asked);
    if (wanted !== undefined && !mayLeaveRoot && !isWithin(await followLinks(root), folder))
      throw new QuanrenError(
        'forbidden',
        `The export folder ${asked} is not within the platform’s export root (the setting platform.exportRoot). Name one within it, or none.`,
      );
    await makeFolder(folder);
    // The slash asks for a folder.
    await access(`${folder}/`, constants.W_OK | constants.X_OK);
    return folder;
  } catch (cause) {
    if (cause instanceof QuanrenError) throw cause;
    throw new QuanrenError(
      'bad_request',
      `The export folder ${asked} cannot be written: ${reasonOf(cause)}. Name another.`,
      { cause },
    );
  }
}

function isWithin(root: string, folder: string): boolean {
  return folder === root || folder.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
}

/** The path without symbolic links, as far as it exists. */
async function followLinks(folder: string): Promise<string> {
  try {
    return await realpath(folder);
  } catch (error) {
    const parent = path.dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === folder) throw error;
    return path.join(await followLinks(parent), path.basename(folder));
  }
}
