/** PEM files that settings name, looked at before they are used: Node.js takes authorities that are none without a word. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { QuanrenError } from '../errors/quanren-error.js';
import { readNamedFile } from './named-file.js';

/** A certificate, then those that vouch for it, and its private key; with the settings (`QUANREN_…`) that name the files. */
export interface KeyPairFiles {
  readonly certSetting: string;
  readonly certFile: string;
  readonly keySetting: string;
  readonly keyFile: string;
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The authorities in a file: one certificate or more, in PEM. Throws `set_up` with setting and file. */
export function readAuthorities(setting: string, file: string): Buffer {
  const bytes = readNamedFile(setting, file);
  const complaint = `${setting} names ${file}, which does not hold certificates in PEM.`;
  const certificates = bytes.toString('latin1').match(CERTIFICATES) ?? [];
  if (certificates.length === 0) throw new QuanrenError('set_up', complaint);
  for (const certificate of certificates) parse(complaint, () => new X509Certificate(certificate));
  return bytes;
}

/** Throws `set_up` with the setting and the file where one of the two is missing or does not do. */
export function readKeyPair(files: KeyPairFiles): { readonly cert: Buffer; readonly key: Buffer } {
  const { certSetting, certFile, keySetting, keyFile } = files;
  if (certFile === '' || keyFile === '') {
    const [given, missing] = keyFile === '' ? [certSetting, keySetting] : [keySetting, certSetting];
    throw new QuanrenError('set_up', `${given} is set and ${missing} is not: TLS needs both.`);
  }
  const [cert, key] = [readNamedFile(certSetting, certFile), readNamedFile(keySetting, keyFile)];
  const certificate = parse(`${certSetting} names ${certFile}, which holds no certificate in PEM.`, () => {
    return new X509Certificate(cert);
  });
  const privateKey = parse(
    `${keySetting} names ${keyFile}, which holds no private key in PEM, or one behind a password.`,
    () => createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    const sentence = `The key of ${keySetting} (${keyFile}) is not that of ${certSetting} (${certFile}).`;
    throw new QuanrenError('set_up', sentence);
  }
  parse(`The files of ${certSetting} and ${keySetting} cannot be used together.`, () =>
    createSecureContext({ cert, key }),
  );
  return { cert, key };
}

function parse<T>(complaint: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new QuanrenError('set_up', complaint, { cause });
  }
}
