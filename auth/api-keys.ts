/**
 * Static API keys: `qk_` and 43 characters of base64url, 256 random bits. The file of keys holds their SHA-256 only: a
 * key with that much entropy cannot be guessed from its hash, so a slow password hash would add cost and no safety.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { QuanrenError } from '../errors/quanren-error.js';
import { knownScopes, type Principal, SCOPES, type Scope } from './principal.js';

const KEY = /^qk_[A-Za-z0-9_-]{43}$/;

/** One row of the file of keys, a JSON array. */
export interface ApiKeyEntry {
  /** Who the key was given to: the principal's subject. */
  readonly id: string;
  /** SHA-256 of the key, 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
}

/** Makes a key: the text to hand over, which is kept nowhere, and the row for the file. */
export function createApiKey(id: string, scopes: readonly Scope[]): { key: string; entry: ApiKeyEntry } {
  const key = `qk_${randomBytes(32).toString('base64url')}`;
  return { key, entry: { id, sha256: createHash('sha256').update(key).digest('hex'), scopes } };
}

/** Is the text an API key rather than a JWT? */
export function isApiKey(token: string): boolean {
  return token.startsWith('qk_');
}

function isEntry(value: unknown): value is ApiKeyEntry {
  const entry = value as Partial<ApiKeyEntry> | null;
  return (
    typeof entry === 'object' &&
    typeof entry?.id === 'string' &&
    entry.id !== '' &&
    typeof entry.sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(entry.sha256) &&
    Array.isArray(entry.scopes) &&
    entry.scopes.every((scope) => SCOPES.includes(scope))
  );
}

/** Reads a file of keys. Throws `set_up` where it cannot be read or a row is not an `ApiKeyEntry`. */
export function readApiKeys(file: string): readonly ApiKeyEntry[] {
  let rows: unknown;
  try {
    rows = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new QuanrenError(
      'set_up',
      `QUANREN_AUTH_API_KEYS_FILE names ${file}, which cannot be read as JSON.`,
      { cause },
    );
  }
  const wrong = Array.isArray(rows) ? rows.findIndex((row) => !isEntry(row)) : 0;
  if (!Array.isArray(rows) || wrong >= 0) {
    const takes = `{"id":"…","sha256":"64 hexadecimal digits","scopes":[${SCOPES.map((s) => `"${s}"`).join(',')}]}`;
    throw new QuanrenError(
      'set_up',
      `Row ${wrong} of ${file} (QUANREN_AUTH_API_KEYS_FILE) is not an API key: a row is ${takes}.`,
    );
  }
  return rows as ApiKeyEntry[];
}

/**
 * The principal of a key, or undefined. Every row is compared, in constant time each, whatever matched before it.
 */
export function createApiKeyCheck(entries: readonly ApiKeyEntry[]): (key: string) => Principal | undefined {
  const rows = entries.map((entry): { digest: Buffer; principal: Principal } => ({
    digest: Buffer.from(entry.sha256, 'hex'),
    principal: {
      kind: 'principal',
      subject: entry.id,
      method: 'api-key',
      scopes: knownScopes(entry.scopes),
    },
  }));
  return (key) => {
    if (!KEY.test(key)) return undefined;
    const digest = createHash('sha256').update(key).digest();
    let found: Principal | undefined;
    for (const row of rows) {
      if (timingSafeEqual(row.digest, digest)) found = row.principal;
    }
    return found;
  };
}
