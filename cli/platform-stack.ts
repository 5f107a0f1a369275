/**
 * The platform with what it stands on: the lock of the data folder, the embedded Postgres, and the platform's process.
 * `quanren start` runs it until it is stopped, a command runs it for its own duration.
 */
import path from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../catalog/embedded-postgres.js';
import type { Settings } from '../config/settings.js';
import { QuanrenError } from '../errors/quanren-error.js';
import { readOwnPostgres } from '../platform/postgres-settings.js';
import { type FolderLock, findLockHolder, takeFolderLock } from './folder-lock.js';
import { PlatformClient } from './platform-client.js';
import { findFreePort } from './ports.js';
import { SupervisedProcess } from './supervised-process.js';

/** A first start loads the real input and computes the crowds. */
const PLATFORM_READY_WITHIN_MS = 300_000;
const PLATFORM_STOP_WITHIN_MS = 20_000;
const POSTGRES_RESTART_DELAY_MS = 500;

/** What the stack tells while it runs. */
export interface StackEvents {
  readonly onProgress: (text: string) => void;
  /** Something died; it is started again. */
  readonly onTrouble: (text: string) => void;
}

export interface PlatformStack {
  /** The platform's URL, once it serves; rejects with `set_up` when it cannot start. */
  readonly ready: Promise<string>;
  /** Stops what runs, at any time, and gives the lock back. */
  stop(): Promise<void>;
}

interface Stoppable {
  stop(): Promise<void>;
}

async function startPostgres(settings: Settings, events: StackEvents): Promise<Stoppable> {
  if (readOwnPostgres(settings) !== null) return { stop: async () => undefined };
  events.onProgress('Starting Postgres …');
  return keepPostgres(settings, events);
}

/** Starts the embedded Postgres, and again whenever it ends by itself. */
async function keepPostgres(settings: Settings, events: StackEvents): Promise<Stoppable> {
  const options = {
    folder: path.resolve(settings['data.dir'], 'postgres'),
    port: settings['postgres.port'],
  };
  let server: EmbeddedPostgres = await startEmbeddedPostgres(options);
  let stopping = false;
  const startAgain = async (): Promise<void> => {
    while (!stopping) {
      events.onTrouble('Postgres ended without being stopped; starting it again');
      try {
        server = await startEmbeddedPostgres(options);
        return;
      } catch (error) {
        events.onTrouble(
          `Postgres could not be started: ${error instanceof Error ? error.message : String(error)}`,
        );
        await new Promise((resolve) => setTimeout(resolve, POSTGRES_RESTART_DELAY_MS));
      }
    }
  };
  const watch = async (): Promise<void> => {
    while (!stopping) {
      await server.ended;
      await startAgain();
    }
    // One that came up again while it was to be stopped.
    await server.stop();
  };
  const watching = watch();
  return {
    stop: async () => {
      stopping = true;
      await Promise.all([server.stop(), watching]);
    },
  };
}

export interface StackOptions {
  readonly settings: Settings;
  readonly platformPort: number;
  /** More environment for the platform's process. */
  readonly environment: Readonly<Record<string, string>>;
  readonly events: StackEvents;
}

/** Resolves when the embedded Postgres runs, unless settings name another one. Throws `conflict` when another process holds the data folder, `set_up` for a taken port. */
export async function startPlatformStack(options: StackOptions): Promise<PlatformStack> {
  const { settings, platformPort, environment, events } = options;
  const lock: FolderLock = takeFolderLock(path.resolve(settings['data.dir']));
  const postgres = await startPostgres(settings, events).catch((error: unknown) => {
    lock.release();
    throw error;
  });
  const platform = new SupervisedProcess({
    name: 'the platform',
    module: path.resolve(import.meta.dirname, '..', 'platform', 'main.js'),
    environment: { ...process.env, QUANREN_PLATFORM_PORT: String(platformPort), ...environment },
    logFile: path.resolve(settings['data.dir'], 'logs', 'platform.log'),
    readyWithinMs: PLATFORM_READY_WITHIN_MS,
    stopWithinMs: PLATFORM_STOP_WITHIN_MS,
    onProgress: events.onProgress,
    onDeath: (why, restartInMs) => events.onTrouble(`${why}; starting it again in ${restartInMs} ms`),
    onRecovery: () => events.onTrouble('the platform is up again'),
  });
  const start = async (): Promise<string> => {
    const { url } = (await platform.start()) as { url: string };
    lock.announce(url);
    return url;
  };
  return {
    ready: start(),
    stop: async () => {
      await platform.stop();
      await postgres.stop();
      lock.release();
    },
  };
}

/**
 * Gives `use` a client of the platform: the running one where there is one, else one that is started for `use` alone,
 * on a free port, with nothing scheduled and no demo loaded.
 */
export async function withPlatform<T>(
  settings: Settings,
  use: (client: PlatformClient) => Promise<T>,
): Promise<T> {
  const token = settings['cli.token'] === '' ? null : settings['cli.token'];
  const holder = findLockHolder(path.resolve(settings['data.dir']));
  if (holder !== null) {
    if (holder.platformUrl === null) {
      throw new QuanrenError(
        'unavailable',
        `The platform (process ${holder.pid}) is still starting: try again soon.`,
      );
    }
    return use(new PlatformClient(holder.platformUrl, token));
  }
  const stack = await startPlatformStack({
    settings,
    platformPort: await findFreePort(),
    environment: { QUANREN_DEMO: 'false', QUANREN_SCHEDULE: 'false' },
    events: {
      onProgress: (text) => console.error(text),
      onTrouble: (text) => console.error(text),
    },
  });
  try {
    return await use(new PlatformClient(await stack.ready, token));
  } finally {
    await stack.stop();
  }
}
