/** Signers of JSON Web Tokens, and the key sets that vouch for them. */
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';

export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'quanren';

export interface Signer {
  readonly alg: string;
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

export async function makeSigner(alg: string, kid: string): Promise<Signer> {
  return { alg, kid, ...(await generateKeyPair(alg, { extractable: true })) };
}

/** The text of a JSON Web Key Set. */
export async function keySetOf(...signers: readonly Signer[]): Promise<string> {
  const keys = await Promise.all(
    signers.map(async ({ publicKey, kid, alg }) => ({ ...(await exportJWK(publicKey)), kid, alg })),
  );
  return JSON.stringify({ keys });
}

/** Good for a minute from `nowMs`, with match:read, unless `claims` say otherwise (undefined leaves one out). */
export function signToken(
  signer: Signer,
  claims: Readonly<Record<string, unknown>> = {},
  nowMs = Date.now(),
): Promise<string> {
  const usual = { iss: ISSUER, aud: AUDIENCE, sub: 'app-1', exp: Math.floor(nowMs / 1_000) + 60 };
  return new SignJWT({ ...usual, scope: 'match:read unheard:of', ...claims })
    .setProtectedHeader({ alg: signer.alg, kid: signer.kid })
    .sign(signer.privateKey);
}
