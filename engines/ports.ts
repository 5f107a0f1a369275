/**
 * Ports of 127.0.0.1 for servers that take their time until they listen. They come from below the range in which the
 * kernel finds ports for outgoing connections: else some client's connection would sit on the port of a server that is
 * to come back on it.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { QuanrenError } from '../errors/quanren-error.js';
import { type Release, tryLock } from './lock.js';

const LOWEST = 12_000;
const ATTEMPTS = 200;

export interface ReservedPorts {
  readonly ports: Readonly<Record<string, number>>;
  /** To be called when the servers listen. */
  readonly release: Release;
}

/** The first port of the kernel's own choice (ip(7), ip_local_port_range). */
function firstEphemeralPort(): number {
  return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1'), 10);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function inUse(name: string, port: number): QuanrenError {
  return new QuanrenError(
    'set_up',
    `Port ${port} of 127.0.0.1, wanted for ${name}, is in use: end what uses it, or name another port.`,
  );
}

/**
 * A port for each name: the one that is told, which must be free (else `set_up`); else the one it had before, if that is
 * free; else any. Nobody else is given these until they are released.
 */
export async function reservePorts(
  names: readonly string[],
  told: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Promise<ReservedPorts> {
  const releases: Release[] = [];
  const release = () => {
    for (const each of releases) each();
  };
  const reserve = async (port: number): Promise<boolean> => {
    const reservation = await tryLock(`port ${port}`);
    if (reservation === undefined) return false;
    releases.push(reservation);
    return isFree(port);
  };
  const reserveAny = async (): Promise<number> => {
    const end = Math.max(firstEphemeralPort(), LOWEST + 2 * ATTEMPTS);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const port = randomInt(LOWEST, end);
      if (await reserve(port)) return port;
    }
    throw new QuanrenError('set_up', `No port of 127.0.0.1 between ${LOWEST} and ${end} is free.`);
  };
  try {
    const ports: Record<string, number> = {};
    for (const name of names) {
      const wanted = told[name];
      const earlier = before[name];
      if (wanted !== undefined) {
        if (!(await reserve(wanted))) throw inUse(name, wanted);
        ports[name] = wanted;
      } else if (earlier !== undefined && (await reserve(earlier))) ports[name] = earlier;
      else ports[name] = await reserveAny();
    }
    return { ports, release };
  } catch (error) {
    release();
    throw error;
  }
}
