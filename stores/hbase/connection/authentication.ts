/**
 * How a connection says who it is. SIMPLE sends the user's name and proves nothing. KERBEROS and DIGEST (delegation
 * tokens) would talk SASL over the socket between the preamble and the connection header; nothing here does so yet, and
 * a server that asks for them refuses the connection, which every call then reports.
 */
import type { Socket } from 'node:net';

export interface Authentication {
  /** The last byte of the preamble. Source: `org.apache.hadoop.hbase.security.AuthMethod` */
  readonly authByte: number;
  readonly userName: string;
  /**
   * What must be said before the connection header. Rejects when the server does not believe it. It may take as long as
   * connecting may; whoever connects sees to that, and to a server that is gone meanwhile.
   */
  readonly handshake: (socket: Socket) => Promise<void>;
}

const SIMPLE = 0x50;

export function simpleAuthentication(userName: string): Authentication {
  return { authByte: SIMPLE, userName, handshake: () => Promise.resolve() };
}
