/** Starts the yardstick, `bench/gateway/bare-uws-server.ts`, on the servers' core. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { SERVER_CORE } from './processes.js';

export interface BareServer {
  readonly url: string;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

export async function startBareUws(): Promise<BareServer> {
  const file = path.join(import.meta.dirname, '..', 'gateway', 'bare-uws-server.js');
  const child = spawn('taskset', ['-c', SERVER_CORE, process.execPath, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: `http://127.0.0.1:${Number(port)}`,
    pids: [child.pid ?? 0],
    stop: async () => {
      child.kill();
      await once(child, 'exit');
    },
  };
}
