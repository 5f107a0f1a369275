/** What befalls one worker of a gateway from within: run there through the inspector, which SIGUSR1 opens. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'undici';
import type { GatewayProcess } from '../integration/gateway/gateway-process.js';
import { until } from '../support/until.js';

const OPENS_WITHIN_MS = 10_000;

export const WORKER_FAULTS = {
  throws: "setTimeout(() => { throw new Error('thrown by a worker'); })",
  'spins for ever': 'setTimeout(() => { for (;;); })',
  'runs out of memory':
    'setTimeout(() => { const all = []; for (;;) all.push(new Array(1000).fill(all.length)); })',
} as const;

/** Of a gateway that was started with `--inspect-port=0` in NODE_OPTIONS. */
export async function evaluateIn(gateway: GatewayProcess, pid: number, expression: string): Promise<void> {
  const from = gateway.output.length;
  process.kill(pid, 'SIGUSR1');
  const url = await until(
    'the inspector',
    () => /Debugger listening on (ws:\/\/\S+)/.exec(gateway.output.slice(from))?.[1],
  );
  const socket = new WebSocket(url);
  await once(socket, 'open', { signal: AbortSignal.timeout(OPENS_WITHIN_MS) });
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
  // It may not live to answer.
  const isHeard = new AbortController();
  socket.addEventListener('error', () => isHeard.abort());
  socket.addEventListener('message', () => isHeard.abort());
  await sleep(500, undefined, { signal: isHeard.signal }).catch(() => undefined);
  socket.close();
}
