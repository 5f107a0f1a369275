/**
 * A disk that can be full: a tmpfs of its own, made as small as what it holds. It takes the right to mount (root, on
 * Linux), and none of the memory that it would have room for.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** More than a test writes: HDFS counts a whole block for each file that is open. */
const ROOM = 'size=16g';
/** Each takes some milliseconds, in which who writes a lot may be ahead of us. */
const FILL_ATTEMPTS = 20;

const mounted = new Set<SmallDisk>();
process.once('exit', () => {
  for (const disk of mounted) disk.unmount();
});

export class SmallDisk {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    mounted.add(this);
  }

  /** Undefined where this machine does not let us. `folder` is made where it is missing. */
  static mount(folder: string): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true });
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', ROOM, 'tmpfs', folder]);
    return status === 0 ? new SmallDisk(folder) : undefined;
  }

  static isPossible(): boolean {
    const folder = mkdtempSync(path.join(tmpdir(), 'quanren-disk-'));
    const disk = SmallDisk.mount(folder);
    disk?.unmount();
    rmSync(folder, { recursive: true });
    return disk !== undefined;
  }

  /** From now on nobody can write more than there is. */
  fill(): void {
    for (let attempt = 1; ; attempt += 1) {
      const { blocks, bfree, bsize } = statfsSync(this.#folder);
      try {
        this.#remount(`size=${Math.max(1, blocks - bfree) * bsize}`);
        return;
      } catch (error) {
        // More was written since we looked than would fit: that is refused.
        if (attempt === FILL_ATTEMPTS) throw error;
      }
    }
  }

  free(): void {
    this.#remount(ROOM);
  }

  /** Also while a process that is just ending still holds files of it. */
  unmount(): void {
    mounted.delete(this);
    execFileSync('umount', ['--lazy', this.#folder]);
  }

  #remount(size: string): void {
    execFileSync('mount', ['-o', `remount,${size}`, this.#folder], { stdio: 'pipe' });
  }
}
