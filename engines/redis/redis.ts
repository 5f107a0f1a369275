/** Redis as the cache it is to the gateway: bounded, and back with its data after a crash but for the last second. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { EngineChoices, EngineRecipe } from '../engine.js';
import { exchange } from '../exchange.js';
import { type EngineFiles, engineFilesFolder, fetchEngineFiles } from '../jars.js';
import { launchServer } from '../server-process.js';

const FILES: EngineFiles = { engine: 'redis', goal: 'unpack-dependencies' };
/** As the parcel names them: what it calls 6.2.6 says of itself that it is 6.2.11. */
const PROGRAMS: Readonly<Record<string, string>> = {
  x64: 'redis-server-6.2.6-v5-linux-amd64',
  arm64: 'redis-server-6.2.7-linux-arm64',
};
const ANSWERS_WITHIN_MS = 20_000;
const STOPS_WITHIN_MS = 20_000;

const DEFAULTS: Readonly<Record<string, string>> = {
  bind: '127.0.0.1',
  daemonize: 'no',
  save: '',
  appendonly: 'yes',
  maxmemory: '256mb',
  'maxmemory-policy': 'allkeys-lru',
};

/** An inline command (Redis protocol); `-LOADING` while it reads its data. */
async function ask(port: number, signal: AbortSignal): Promise<void> {
  const answer = await exchange(port, Buffer.from('PING\r\n'), (bytes) => bytes.includes('\r\n'), signal);
  if (answer.toString('latin1') !== '+PONG\r\n') throw new Error(`PING was answered with ${answer}`);
}

function program(cacheFolder: string): string {
  const name = PROGRAMS[process.arch];
  if (name === undefined) {
    throw new QuanrenError(
      'set_up',
      `There is no Redis for Linux on ${process.arch} here, only for x64 and arm64.`,
    );
  }
  return path.join(engineFilesFolder(FILES, cacheFolder), name);
}

export function redis({ settings = {} }: EngineChoices): EngineRecipe {
  return {
    kind: 'redis',
    layout: 'one server',
    ports: ['redis'],
    addresses: ({ redis }) => ({ redis: `127.0.0.1:${redis}` }),
    prepare: async ({ folder, cacheFolder, onProgress }) => {
      mkdirSync(path.join(folder, 'data'), { recursive: true });
      await fetchEngineFiles(FILES, cacheFolder, onProgress);
    },
    servers: ({ folder, cacheFolder, ports: { redis: port = 0 } }) => {
      const logFile = path.join(folder, 'logs', 'redis.log');
      const all = { ...DEFAULTS, port: `${port}`, dir: path.join(folder, 'data'), ...settings };
      const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
      return [
        [
          {
            name: 'redis',
            logFile,
            launch: () => launchServer(program(cacheFolder), args, { folder, logFile }),
            ask: (signal) => ask(port, signal),
            answersWithinMs: ANSWERS_WITHIN_MS,
            stopSignal: 'SIGTERM',
            stopsWithinMs: STOPS_WITHIN_MS,
          },
        ],
      ];
    },
  };
}
