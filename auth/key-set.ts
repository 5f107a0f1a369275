/**
 * The public keys that check tokens: a JSON Web Key Set (RFC 7517) of a file or a URL, read again as it rotates.
 *
 * Keys are read anew in the background when they are half as old as they may be, and before they are used when they are
 * older; when a token names a key that is not there, too, but at most once per cool-down, whatever tokens come. While the
 * source cannot be read the last keys hold, for `KEPT_MS` at the longest: an issuer that is down must not lock out those
 * who already have their tokens.
 */
import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { QuanrenError } from '../errors/quanren-error.js';
import { reasonOf } from '../errors/reason-of.js';

/** The longest time between two readings that unknown keys may cause, and after one that failed. */
const LONGEST_COOLDOWN_MS = 30_000;
/** After a failed reading where there are no keys at all. */
const RETRY_MS = 1_000;
const FETCH_TIMEOUT_MS = 3_000;
const KEPT_MS = 24 * 3_600_000;

export interface KeySetOptions {
  /** A file's path, or an https URL (http on loopback only). */
  readonly source: string;
  /** Keys older than this are not used before it was tried to read them anew. */
  readonly maxAgeMs: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Hears when the source cannot be read any more; not again until it could. */
  readonly onTrouble?: ((error: QuanrenError) => void) | undefined;
}

function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

export class KeySet {
  readonly #options: KeySetOptions;
  readonly #cooldownMs: number;
  readonly #load: () => Promise<JWTVerifyGetKey>;
  #keys: { readonly find: JWTVerifyGetKey; readonly readAtMs: number } | undefined;
  #trouble: QuanrenError | undefined;
  #mayReadFromMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** Throws `set_up` for a URL that does not do; nothing is read yet. */
  constructor(options: KeySetOptions) {
    const { source, maxAgeMs } = options;
    this.#options = options;
    this.#cooldownMs = Math.min(LONGEST_COOLDOWN_MS, maxAgeMs / 2);
    if (isUrl(source)) {
      const url = parseUrl(source);
      this.#load = () => loadFrom(source, fetchText(url));
    } else this.#load = () => loadFrom(source, readFile(source, 'utf8'));
  }

  /**
   * Reads the keys, so that a mistake is told at the start. Rejects with `set_up` where a file does not do; a URL that
   * cannot be read just now is something to warn of: the sentence is returned.
   */
  async open(): Promise<string | undefined> {
    await this.#read();
    if (this.#trouble === undefined) return undefined;
    if (!isUrl(this.#options.source)) throw this.#trouble;
    return `${this.#trouble.message} Until it can be, no token is accepted.`;
  }

  /** Rejects with `JWKSNoMatchingKey` of jose, or with `set_up` when there are no keys to look in. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { now, maxAgeMs } = this.#options;
    const ageMs = now() - (this.#keys?.readAtMs ?? Number.NEGATIVE_INFINITY);
    if (ageMs >= maxAgeMs) await this.#readIfDue();
    else if (ageMs >= maxAgeMs / 2) void this.#readIfDue();
    try {
      return await this.#known(header, token);
    } catch (error) {
      const wasRead = error instanceof errors.JWKSNoMatchingKey && (await this.#readIfDue());
      if (!wasRead) throw error;
      return this.#known(header, token);
    }
  };

  #known(...args: Parameters<JWTVerifyGetKey>): ReturnType<JWTVerifyGetKey> {
    if (this.#keys === undefined) throw this.#trouble ?? new QuanrenError('set_up', 'No keys were read.');
    return this.#keys.find(...args);
  }

  /** Returns whether it was read, by this call or one that it joined; never rejects. */
  async #readIfDue(): Promise<boolean> {
    if (this.#reading === undefined && this.#options.now() < this.#mayReadFromMs) return false;
    await this.#read();
    return true;
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const { now, onTrouble } = this.#options;
    try {
      const find = await this.#load();
      this.#keys = { find, readAtMs: now() };
      this.#trouble = undefined;
    } catch (error) {
      const isNew = this.#trouble === undefined;
      this.#trouble = error instanceof QuanrenError ? error : new QuanrenError('set_up', String(error));
      if (this.#keys !== undefined && now() - this.#keys.readAtMs > KEPT_MS) this.#keys = undefined;
      if (isNew) onTrouble?.(this.#trouble);
    }
    this.#mayReadFromMs = now() + (this.#keys === undefined ? RETRY_MS : this.#cooldownMs);
  }
}

function parseUrl(source: string): URL {
  const url = URL.canParse(source) ? new URL(source) : undefined;
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url?.hostname ?? '');
  if (url === undefined || (url.protocol !== 'https:' && !isLoopback)) {
    throw new QuanrenError(
      'set_up',
      `QUANREN_AUTH_JWKS is ${source}, which must be a file or an https URL: whoever can change it in transit can sign.`,
    );
  }
  return url;
}

async function fetchText(url: URL): Promise<string> {
  const response = await fetch(url, {
    headers: { accept: 'application/json, application/jwk-set+json' },
    redirect: 'error',
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (response.status !== 200) throw new Error(`it answers ${response.status}`);
  return response.text();
}

async function loadFrom(source: string, reading: Promise<string>): Promise<JWTVerifyGetKey> {
  const fail = (why: string, cause: unknown): never => {
    throw new QuanrenError('set_up', `QUANREN_AUTH_JWKS names ${source}, ${why}.`, { cause });
  };
  let text = '';
  try {
    text = await reading;
  } catch (error) {
    fail(`which cannot be read (${reasonOf(error)})`, error);
  }
  try {
    const set = JSON.parse(text) as JSONWebKeySet;
    const find = createLocalJWKSet(set);
    if (!set.keys.some(isUsable)) throw new Error('no public key of a kind that is taken');
    return find;
  } catch (error) {
    return fail(
      'which is no JSON Web Key Set with a public key for RS256, ES256 or EdDSA: {"keys":[…]}',
      error,
    );
  }
}

/** RSA, or on one of the curves of the other two algorithms; and public. */
function isUsable({ kty, crv, d }: JSONWebKeySet['keys'][number]): boolean {
  return d === undefined && (kty === 'RSA' || crv === 'P-256' || crv === 'Ed25519');
}
