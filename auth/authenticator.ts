/**
 * One question for every entrance: whose request is this? The answer to a token seen before is a value, so that a hot
 * path need not wait for a promise; a token is believed from memory until it expires, at the longest for half of
 * `keysMaxAgeSeconds`.
 */
import { QuanrenError } from '../errors/quanren-error.js';
import { createApiKeyCheck, isApiKey, readApiKeys } from './api-keys.js';
import { JwtCheck, type JwtOptions } from './jwt.js';
import { ANONYMOUS, type AuthFailure, type AuthResult, type Principal } from './principal.js';

/** API keys are withdrawn by a restart: they are remembered to save their hashing. */
const REMEMBER_API_KEY_MS = 5 * 60_000;
const REMEMBERED_TOKENS = 10_000;
const REMEMBERED_CHARS = 16 * 1024 * 1024;
const LONGEST_TOKEN_CHARS = 8_192;
/** Signatures checked at the same time; one costs up to 0.2 ms of a thread. */
const CHECKS_IN_FLIGHT = 256;

export interface AuthOptions {
  /** Absent: no JWT is accepted. */
  readonly jwt?: JwtOptions | undefined;
  /** The file of API keys (`api-keys.ts`). Absent: no API key is accepted. */
  readonly apiKeysFile?: string | undefined;
  /** Hears when the key set cannot be read any more, once until it could be read again. */
  readonly onTrouble?: (error: QuanrenError) => void;
  /** Epoch milliseconds; a parameter so that tests can move it. */
  readonly now?: () => number;
}

/** The `auth.*` settings as options; an empty text is a thing not given. Throws `set_up` for a JWKS without its issuer. */
export function toAuthOptions(settings: {
  readonly jwks: string;
  readonly issuer: string;
  readonly audience: string;
  readonly clockSkewSeconds: number;
  readonly keysMaxAgeSeconds: number;
  readonly apiKeysFile: string;
}): AuthOptions {
  const { jwks, apiKeysFile, ...rest } = settings;
  if (jwks !== '' && (rest.issuer === '' || rest.audience === '')) {
    throw new QuanrenError(
      'set_up',
      'QUANREN_AUTH_JWKS needs QUANREN_AUTH_ISSUER and QUANREN_AUTH_AUDIENCE: a token for another service must not pass.',
    );
  }
  return {
    jwt: jwks === '' ? undefined : { jwks, ...rest },
    apiKeysFile: apiKeysFile === '' ? undefined : apiKeysFile,
  };
}

export interface Authenticator {
  /** False: everyone is `ANONYMOUS` with every scope. */
  readonly isOn: boolean;
  /** Reads the key set, where there is one: as `KeySet.open`. */
  open(): Promise<string | undefined>;
  /** Takes the `Authorization` header, empty where it is missing. Never throws and never rejects. */
  authenticate(authorizationHeader: string): AuthResult | Promise<AuthResult>;
}

const MISSING: AuthFailure = {
  kind: 'failure',
  reason: 'missing',
  detail: 'This request needs an Authorization header: Bearer and a token or an API key.',
};
const MALFORMED: AuthFailure = {
  kind: 'failure',
  reason: 'invalid',
  detail: 'The Authorization header is not Bearer and one token of at most 8,192 characters.',
};
const UNKNOWN_KEY: AuthFailure = { kind: 'failure', reason: 'invalid', detail: 'The API key is not known.' };
const NO_JWT: AuthFailure = { kind: 'failure', reason: 'invalid', detail: 'Tokens are not accepted here.' };
const BUSY: AuthFailure = {
  kind: 'failure',
  reason: 'unavailable',
  detail: 'Too many new tokens are being checked; ask again.',
};

/** Believed headers, oldest forgotten first, bounded by number and by characters. */
class Remembered {
  readonly #entries = new Map<string, { readonly principal: Principal; readonly untilMs: number }>();
  #chars = 0;

  get(header: string, nowMs: number): Principal | undefined {
    const entry = this.#entries.get(header);
    if (entry === undefined) return undefined;
    if (entry.untilMs > nowMs) return entry.principal;
    this.#delete(header);
    return undefined;
  }

  set(header: string, principal: Principal, untilMs: number): void {
    this.#delete(header);
    this.#entries.set(header, { principal, untilMs });
    this.#chars += header.length;
    while (this.#entries.size > REMEMBERED_TOKENS || this.#chars > REMEMBERED_CHARS) {
      const [oldest] = this.#entries.keys();
      if (oldest === undefined) return;
      this.#delete(oldest);
    }
  }

  #delete(header: string): void {
    if (this.#entries.delete(header)) this.#chars -= header.length;
  }
}

/** Throws `set_up` where the file of keys or the address of the key set does not do. */
export function createAuthenticator(options: AuthOptions): Authenticator {
  const now = options.now ?? Date.now;
  if (options.jwt === undefined && options.apiKeysFile === undefined)
    return { isOn: false, open: async () => undefined, authenticate: () => ANONYMOUS };
  const checkKey = createApiKeyCheck(
    options.apiKeysFile === undefined ? [] : readApiKeys(options.apiKeysFile),
  );
  const jwt = options.jwt === undefined ? undefined : new JwtCheck(options.jwt, now, options.onTrouble);
  const remembered = new Remembered();
  let inFlight = 0;

  const verify = async (header: string, token: string, jwtCheck: JwtCheck) => {
    inFlight += 1;
    const outcome = await jwtCheck.check(token).finally(() => {
      inFlight -= 1;
    });
    if ('kind' in outcome) return outcome;
    remembered.set(header, outcome.principal, outcome.believedUntilMs);
    return outcome.principal;
  };

  return {
    isOn: true,
    open: async () => jwt?.open(),
    authenticate(header) {
      if (header === '') return MISSING;
      const known = remembered.get(header, now());
      if (known !== undefined) return known;
      const token = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(header)?.[1];
      // Another scheme is as good as none (RFC 6750 3.1): the answer names the scheme and no error.
      if (token === undefined) return /^bearer/i.test(header) ? MALFORMED : MISSING;
      if (token.length > LONGEST_TOKEN_CHARS) return MALFORMED;
      if (isApiKey(token)) {
        const principal = checkKey(token);
        if (principal === undefined) return UNKNOWN_KEY;
        remembered.set(header, principal, now() + REMEMBER_API_KEY_MS);
        return principal;
      }
      if (jwt === undefined) return NO_JWT;
      if (inFlight >= CHECKS_IN_FLIGHT) return BUSY;
      return verify(header, token, jwt);
    },
  };
}
