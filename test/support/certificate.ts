/** A self-signed certificate for loopback, made as it is needed: X.509 v3 (RFC 5280) in DER, by hand and no longer than that. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

const [INTEGER, BIT_STRING, OCTET_STRING, OID, UTF8_STRING, GENERALIZED_TIME] = [2, 3, 4, 6, 12, 24];
const [SEQUENCE, SET, CONTEXT_0, CONTEXT_3] = [0x30, 0x31, 0xa0, 0xa3];
/** Of GeneralName. */
const [DNS_NAME, IP_ADDRESS] = [0x82, 0x87];
const ECDSA_WITH_SHA256 = '2a8648ce3d040302';
const COMMON_NAME = '550403';
const SUBJECT_ALT_NAME = '551d11';

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  const size = body.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.of(tag, ...length), body]);
}

const oid = (hex: string) => der(OID, Buffer.from(hex, 'hex'));
const time = (ms: number) =>
  der(GENERALIZED_TIME, Buffer.from(`${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`));

/** On P-256, valid for a day, for `hostName`; that of localhost for 127.0.0.1, too. */
export function createCertificate(hostName = 'localhost'): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(SEQUENCE, oid(ECDSA_WITH_SHA256));
  const commonName = der(SEQUENCE, oid(COMMON_NAME), der(UTF8_STRING, Buffer.from(hostName)));
  const name = der(SEQUENCE, der(SET, commonName));
  const altNames = der(
    SEQUENCE,
    der(DNS_NAME, Buffer.from(hostName)),
    ...(hostName === 'localhost' ? [der(IP_ADDRESS, Buffer.of(127, 0, 0, 1))] : []),
  );
  const body = der(
    SEQUENCE,
    der(CONTEXT_0, der(INTEGER, Buffer.of(2))),
    der(INTEGER, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    name,
    der(SEQUENCE, time(Date.now() - 60_000), time(Date.now() + 86_400_000)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(CONTEXT_3, der(SEQUENCE, der(SEQUENCE, oid(SUBJECT_ALT_NAME), der(OCTET_STRING, altNames)))),
  );
  const signature = der(BIT_STRING, Buffer.of(0), sign('sha256', body, privateKey));
  const base64 = der(SEQUENCE, body, algorithm, signature).toString('base64');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
