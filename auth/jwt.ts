/**
 * JSON Web Tokens, checked by jose: a fixed list of algorithms (so neither `none` nor an HMAC made with a public key is
 * ever accepted), issuer, audience, expiry and not-before with a small skew, keys from a JWKS that may rotate.
 */
import { errors, jwtVerify } from 'jose';
import type { QuanrenError } from '../errors/quanren-error.js';
import { KeySet } from './key-set.js';
import { type AuthFailure, knownScopes, type Principal } from './principal.js';

export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;

export interface JwtOptions {
  /** A file's path, or an https URL (http on loopback only). */
  readonly jwks: string;
  readonly issuer: string;
  readonly audience: string;
  /** How far the clocks of issuer and checker may differ. */
  readonly clockSkewSeconds: number;
  /** For how long a withdrawn key may still be believed: half of it by its set, half by a token that was checked. */
  readonly keysMaxAgeSeconds: number;
}

export interface VerifiedToken {
  readonly principal: Principal;
  /** Epoch milliseconds: from then on the token must be checked again. */
  readonly believedUntilMs: number;
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
  if (!(error instanceof errors.JOSEError)) {
    return {
      kind: 'failure',
      reason: 'unavailable',
      detail: 'The keys that check tokens cannot be had just now.',
    };
  }
  return invalid('The token is not a JSON Web Token that this server accepts.');
}

function scopesOf(claims: Readonly<Record<string, unknown>>): ReadonlyArray<string> {
  const given = claims.scope ?? claims.scp;
  if (typeof given === 'string') return given.split(' ');
  return Array.isArray(given) ? given.filter((scope) => typeof scope === 'string') : [];
}

/** `onTrouble` hears when the key set cannot be read any more, once until it could be read again. */
export class JwtCheck {
  readonly #options: JwtOptions;
  readonly #now: () => number;
  readonly #believeMs: number;
  readonly #keys: KeySet;

  /** Throws `set_up` for a URL that does not do. */
  constructor(options: JwtOptions, now: () => number, onTrouble?: (error: QuanrenError) => void) {
    this.#options = options;
    this.#now = now;
    this.#believeMs = (options.keysMaxAgeSeconds * 1_000) / 2;
    this.#keys = new KeySet({ source: options.jwks, maxAgeMs: this.#believeMs, now, onTrouble });
  }

  /** As `KeySet.open`. */
  open(): Promise<string | undefined> {
    return this.#keys.open();
  }

  /** Checks one token. Never rejects: a failure is a value. */
  async check(token: string): Promise<VerifiedToken | AuthFailure> {
    const { issuer, audience, clockSkewSeconds } = this.#options;
    const nowMs = this.#now();
    try {
      const { payload } = await jwtVerify(token, this.#keys.find, {
        algorithms: [...ALGORITHMS],
        issuer,
        audience,
        clockTolerance: clockSkewSeconds,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(nowMs),
      });
      return {
        principal: {
          kind: 'principal',
          subject: payload.sub ?? '',
          method: 'jwt',
          scopes: knownScopes(scopesOf(payload)),
        },
        believedUntilMs: Math.min(((payload.exp ?? 0) + clockSkewSeconds) * 1_000, nowMs + this.#believeMs),
      };
    } catch (error) {
      return toFailure(error);
    }
  }
}
