/** The certificate and key of a server, looked at before it listens: a mistake is told with the setting to correct. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { readNamedFile } from '../config/named-file.js';
import { QuanrenError } from '../errors/quanren-error.js';

/** PEM files. */
export interface TlsFiles {
  /** The server's certificate first, then those that vouch for it. */
  readonly certFile: string;
  readonly keyFile: string;
}

const CERT = 'QUANREN_TLS_CERT_FILE';
const KEY = 'QUANREN_TLS_KEY_FILE';

/** The tls.* settings; undefined where both are empty, which is TLS off. Throws `set_up` where the files do not do. */
export function checkTlsFiles({ certFile, keyFile }: TlsFiles): TlsFiles | undefined {
  if (certFile === '' && keyFile === '') return undefined;
  if (certFile === '' || keyFile === '') {
    const [given, missing] = keyFile === '' ? [CERT, KEY] : [KEY, CERT];
    throw new QuanrenError('set_up', `${given} is set and ${missing} is not: TLS needs both.`);
  }
  const [cert, key] = [readNamedFile(CERT, certFile), readNamedFile(KEY, keyFile)];
  const certificate = parse(`${CERT} names ${certFile}, which holds no certificate in PEM.`, () => {
    return new X509Certificate(cert);
  });
  const privateKey: KeyObject = parse(
    `${KEY} names ${keyFile}, which holds no private key in PEM, or one behind a password.`,
    () => createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new QuanrenError('set_up', `The key of ${KEY} (${keyFile}) is not that of ${CERT} (${certFile}).`);
  }
  parse(`The files of ${CERT} and ${KEY} cannot be used together.`, () => createSecureContext({ cert, key }));
  return { certFile, keyFile };
}

function parse<T>(complaint: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new QuanrenError('set_up', complaint, { cause });
  }
}
