/** What befalls one worker of a gateway from within. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayProcess } from './gateway-process.js';
import { Inspector } from './inspector.js';

const WORKER_FAULTS = {
  throws: "setTimeout(() => { throw new Error('thrown by a worker'); })",
  spins: 'setTimeout(() => { for (;;); })',
  'runs out of memory':
    'setTimeout(() => { const all = []; for (;;) all.push(new Array(1000).fill(all.length)); })',
} as const;

export type WorkerFault = keyof typeof WORKER_FAULTS;

/** The gateway must have been started with `--inspect-port=0` in NODE_OPTIONS. */
export async function befall(gateway: GatewayProcess, pid: number, fault: WorkerFault): Promise<void> {
  const inspector = await Inspector.open(gateway, pid);
  // The worker may not live to answer.
  await Promise.race([inspector.evaluate(WORKER_FAULTS[fault]).catch(() => undefined), sleep(500)]);
  inspector.close();
}
