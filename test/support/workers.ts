import { chooseTransport } from '../../gateway/transport/choose-transport.js';

/** How many workers a gateway has that is set to have so many: one where only node:http fits, whose port cannot be shared. */
export function workersFor(wanted: number): number {
  return chooseTransport('auto').transport.canSharePort ? wanted : 1;
}
