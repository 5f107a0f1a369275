/** Addresses as settings have them: `host:port`, the host a name, an IPv4 address, or an IPv6 address in brackets. */
import { isIPv6 } from 'node:net';
import { QuanrenError } from '../errors/quanren-error.js';

export interface Address {
  /** Without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

const ADDRESS = /^(?:\[([^[\]]+)\]|([^\s:/?#@[\],]+))(?::(\d{1,5}))?$/;

/** undefined for what is no address; without `defaultPort`, what names no port is none. */
export function parseAddress(text: string, defaultPort?: number): Address | undefined {
  const [, ipv6, host = ipv6, digits] = ADDRESS.exec(text) ?? [];
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || (ipv6 !== undefined && !isIPv6(ipv6))) return undefined;
  return port === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}

/**
 * One or more, with commas between. Throws `set_up` with the setting (`QUANREN_…`) and which of them is no address; not with
 * its text, which may hold a password.
 */
export function parseAddresses(setting: string, text: string): Address[] {
  return text.split(',').map((each, i) => {
    const address = parseAddress(each.trim());
    if (address !== undefined) return address;
    throw new QuanrenError('set_up', `${setting} must be host:port, host:port …; number ${i + 1} is not.`);
  });
}

/** `host:port`, as `parseAddress` takes it. */
export function formatAddress({ host, port }: Address): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
