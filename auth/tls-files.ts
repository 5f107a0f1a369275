/** The certificate and key of a server, looked at before it listens: a mistake is told with the setting to correct. */
import { readKeyPair } from '../config/tls-files.js';

/** PEM files. */
export interface TlsFiles {
  /** The server's certificate first, then those that vouch for it. */
  readonly certFile: string;
  readonly keyFile: string;
}

/** The tls.* settings; undefined where both are empty, which is TLS off. Throws `set_up` where the files do not do. */
export function checkTlsFiles({ certFile, keyFile }: TlsFiles): TlsFiles | undefined {
  if (certFile === '' && keyFile === '') return undefined;
  readKeyPair({
    certSetting: 'QUANREN_TLS_CERT_FILE',
    certFile,
    keySetting: 'QUANREN_TLS_KEY_FILE',
    keyFile,
  });
  return { certFile, keyFile };
}
