/** Which server this machine gets. */
import { loadUws } from './load-uws.js';
import { nodeHttpTransport } from './node-http.js';
import type { Transport } from './transport.js';
import { createUwsTransport } from './uws.js';

export interface ChosenTransport {
  readonly transport: Transport;
  /** Why it is the slow one; undefined for uWebSockets.js. */
  readonly warning: string | undefined;
}

/** `wanted` is the setting gateway.transport: `auto` takes uWebSockets.js where a build fits. */
export function chooseTransport(wanted: 'auto' | 'node-http'): ChosenTransport {
  if (wanted === 'node-http') {
    return {
      transport: nodeHttpTransport,
      warning: 'The gateway serves through node:http, as set: several times slower.',
    };
  }
  const loaded = loadUws();
  if ('uws' in loaded) return { transport: createUwsTransport(loaded), warning: undefined };
  return {
    transport: nodeHttpTransport,
    warning: `No build of uWebSockets.js fits this machine, so the gateway serves through node:http, SEVERAL TIMES SLOWER (${loaded.reasons.join('; ')}).`,
  };
}
