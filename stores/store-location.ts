/** Where memberships and realtime tags are kept: in LMDB files that the processes of one machine share, or in HBase. */
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { type Address, parseAddresses } from '../config/addresses.js';
import { readAuthorities, readKeyPair } from '../config/tls-files.js';
import { QuanrenError } from '../errors/quanren-error.js';

/** Plain data: processes tell it one another. */
export type StoreLocation =
  | { readonly kind: 'embedded'; readonly folder: string }
  | {
      readonly kind: 'hbase';
      readonly nodes: readonly Address[];
      readonly user: string;
      /** undefined: plain text. */
      readonly tls: HBaseTlsFiles | undefined;
    };

/** PEM files; empty where there is none. */
export interface HBaseTlsFiles {
  /** The authorities that a server's certificate is believed from; without it, those that Node trusts. */
  readonly caFile: string;
  /** What this client shows: HBase asks for it unless told otherwise. */
  readonly certFile: string;
  readonly keyFile: string;
}

/** All of the settings that say where the stores are. */
export interface StoreSettings {
  /** `host:port,host:port`; empty: the embedded store. */
  readonly 'hbase.nodes': string;
  readonly 'hbase.user': string;
  readonly 'hbase.tls': boolean;
  readonly 'hbase.caFile': string;
  readonly 'hbase.certFile': string;
  readonly 'hbase.keyFile': string;
}

/** `folder` is that of the embedded store. Throws `set_up` for settings that cannot be used. */
export function locateStores(folder: string, settings: StoreSettings): StoreLocation {
  const { 'hbase.nodes': nodes, 'hbase.user': user, 'hbase.tls': isTlsOn } = settings;
  const { 'hbase.caFile': caFile, 'hbase.certFile': certFile, 'hbase.keyFile': keyFile } = settings;
  if (nodes === '') return { kind: 'embedded', folder };
  if (user === '') throw new QuanrenError('set_up', 'QUANREN_HBASE_USER is empty: HBase wants a name.');
  const files = { caFile, certFile, keyFile };
  if (isTlsOn) readTlsOptions(files);
  return {
    kind: 'hbase',
    nodes: parseAddresses('QUANREN_HBASE_NODES', nodes),
    user,
    tls: isTlsOn ? files : undefined,
  };
}

/** Throws `set_up` where the files do not do. */
export function readTlsOptions({ caFile, certFile, keyFile }: HBaseTlsFiles): TlsOptions {
  const [certSetting, keySetting] = ['QUANREN_HBASE_CERT_FILE', 'QUANREN_HBASE_KEY_FILE'];
  return {
    ...(caFile === '' ? {} : { ca: readAuthorities('QUANREN_HBASE_CA_FILE', caFile) }),
    ...(certFile === '' && keyFile === '' ? {} : readKeyPair({ certSetting, certFile, keySetting, keyFile })),
  };
}
