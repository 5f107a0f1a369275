/**
 * JSON Web Tokens, checked by jose: a fixed list of algorithms (so neither `none` nor an HMAC made with a public key is
 * ever accepted), issuer, audience, expiry and not-before with a small skew, keys from a JWKS that may rotate.
 */
import { readFile, stat } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { QuanrenError } from '../errors/quanren-error.js';
import { type AuthFailure, knownScopes, type Principal } from './principal.js';

export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;
/** A key set is asked for again at most this often, however many tokens name an unknown key. */
const REFRESH_COOLDOWN_MS = 30_000;
/** Keys from a URL are fetched anew after this long, so that a withdrawn key is forgotten. */
const KEYS_MAX_AGE_MS = 10 * 60_000;
const FETCH_TIMEOUT_MS = 3_000;

export interface JwtOptions {
  /** A file's path, or an https URL (http on loopback only). */
  readonly jwks: string;
  readonly issuer: string;
  readonly audience: string;
  /** How far the clocks of issuer and checker may differ. */
  readonly clockSkewSeconds: number;
}

export interface VerifiedToken {
  readonly principal: Principal;
  readonly expiresAtMs: number;
}

function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** Keys of a file, read again (at most once per cooldown) when its time of change moved. */
function createFileKeys(file: string, now: () => number): JWTVerifyGetKey {
  let keys: { readonly find: JWTVerifyGetKey; readonly mtimeMs: number } | undefined;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  const load = async (): Promise<JWTVerifyGetKey> => {
    if (keys !== undefined && now() - lookedAtMs < REFRESH_COOLDOWN_MS) return keys.find;
    const { mtimeMs } = await stat(file);
    if (keys?.mtimeMs !== mtimeMs) {
      keys = {
        find: createLocalJWKSet(JSON.parse(await readFile(file, 'utf8')) as JSONWebKeySet),
        mtimeMs,
      };
    }
    lookedAtMs = now();
    return keys.find;
  };
  return async (header, token) => {
    let find: JWTVerifyGetKey;
    try {
      find = await load();
    } catch (cause) {
      throw new QuanrenError('unavailable', `The key set ${file} cannot be read.`, { cause });
    }
    return find(header, token);
  };
}

function createUrlKeys(address: string): JWTVerifyGetKey {
  const url = new URL(address);
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url.protocol !== 'https:' && !isLoopback) {
    throw new QuanrenError(
      'set_up',
      `The key set ${address} must be an https URL: whoever can change it in transit can sign.`,
    );
  }
  return createRemoteJWKSet(url, {
    cooldownDuration: REFRESH_COOLDOWN_MS,
    cacheMaxAge: KEYS_MAX_AGE_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
  });
}

/** What a token that was refused did wrong, said without quoting it. */
function toFailure(error: unknown): AuthFailure {
  const invalid = (detail: string): AuthFailure => ({ kind: 'failure', reason: 'invalid', detail });
  if (error instanceof errors.JWTExpired) return invalid('The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed)
    return invalid(`The token's claim '${error.claim}' is missing or not accepted.`);
  if (error instanceof errors.JOSEAlgNotAllowed)
    return invalid(`The token's algorithm must be one of ${ALGORITHMS.join(', ')}.`);
  if (error instanceof errors.JWKSNoMatchingKey) return invalid('The token is signed by an unknown key.');
  if (error instanceof errors.JWSSignatureVerificationFailed) return invalid('The signature is wrong.');
  const cannotFetch =
    error instanceof QuanrenError ||
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    !(error instanceof errors.JOSEError) ||
    error.code === 'ERR_JOSE_GENERIC';
  if (cannotFetch)
    return {
      kind: 'failure',
      reason: 'unavailable',
      detail: 'The keys that check tokens cannot be reached.',
    };
  return invalid('The token is not a JSON Web Token that this server accepts.');
}

function scopesOf(claims: Readonly<Record<string, unknown>>): ReadonlyArray<string> {
  const given = claims.scope ?? claims.scp;
  if (typeof given === 'string') return given.split(' ');
  return Array.isArray(given) ? given.filter((scope) => typeof scope === 'string') : [];
}

/** Checks one token. Never rejects: a failure is a value. Throws `set_up` at once for a key set over plain http. */
export function createJwtCheck(
  options: JwtOptions,
  now: () => number,
): (token: string) => Promise<VerifiedToken | AuthFailure> {
  const keys = isUrl(options.jwks) ? createUrlKeys(options.jwks) : createFileKeys(options.jwks, now);
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: [...ALGORITHMS],
        issuer: options.issuer,
        audience: options.audience,
        clockTolerance: options.clockSkewSeconds,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(now()),
      });
      return {
        principal: {
          kind: 'principal',
          subject: payload.sub ?? '',
          method: 'jwt',
          scopes: knownScopes(scopesOf(payload)),
        },
        expiresAtMs: ((payload.exp ?? 0) + options.clockSkewSeconds) * 1_000,
      };
    } catch (error) {
      return toFailure(error);
    }
  };
}
