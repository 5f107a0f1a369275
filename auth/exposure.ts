/** A server that anyone can reach must ask who they are: this is checked before it listens. */
import { BlockList, isIP } from 'node:net';
import { QuanrenError } from '../errors/quanren-error.js';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Is the address one that only this machine reaches? Of names, only `localhost` is believed. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (bare.toLowerCase() === 'localhost') return true;
  const family = isIP(bare);
  return family !== 0 && loopback.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}

export interface Exposure {
  readonly host: string;
  readonly authIsOn: boolean;
  readonly tlsIsOn: boolean;
  /** The setting unsafe.listenWithoutAuthAndTls. */
  readonly isUnsafeAllowed: boolean;
}

/** What to warn of, undefined where nothing is open. Throws `set_up` where the server must not listen. */
export function checkExposure(exposure: Exposure): string | undefined {
  const off = [exposure.authIsOn ? [] : 'authentication', exposure.tlsIsOn ? [] : 'TLS'].flat();
  if (off.length === 0) return undefined;
  const are = `${off.join(' and ')} ${off.length > 1 ? 'are' : 'is'} off`;
  if (isLoopback(exposure.host)) {
    return exposure.authIsOn ? undefined : `${are}: every program on this machine may ask.`;
  }
  if (exposure.isUnsafeAllowed) return `${are} and ${exposure.host} is not loopback: ANYONE may ask.`;
  throw new QuanrenError(
    'set_up',
    `Listening on ${exposure.host} is refused because ${are}. Set QUANREN_AUTH_JWKS (or QUANREN_AUTH_API_KEYS_FILE) ` +
      'and QUANREN_TLS_CERT_FILE with QUANREN_TLS_KEY_FILE, or listen on 127.0.0.1; ' +
      'QUANREN_UNSAFE_LISTEN_WITHOUT_AUTH_AND_TLS=true allows it all the same.',
  );
}
