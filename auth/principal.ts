/** Who asks, and what they may do: the values that every entrance (gateway, platform) works with. */

/** `match:read` is the gateway's; the others are the platform's. */
export const SCOPES = ['match:read', 'read', 'tags:write', 'crowds:write', 'crowds:run'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Principal {
  readonly kind: 'principal';
  /** The token's `sub`, the API key's id, or `anonymous` where authentication is off. */
  readonly subject: string;
  readonly method: 'none' | 'jwt' | 'api-key';
  /** Only scopes that Quanren knows: a token may carry others, which mean nothing here. */
  readonly scopes: ReadonlySet<Scope>;
}

export interface AuthFailure {
  readonly kind: 'failure';
  /** `unavailable`: the keys could not be fetched, or too many tokens are being checked, so nothing is known. */
  readonly reason: 'missing' | 'invalid' | 'unavailable';
  /** A full sentence for the caller; holds nothing of the credentials. */
  readonly detail: string;
}

export type AuthResult = Principal | AuthFailure;

/** Everyone, where authentication is off. */
export const ANONYMOUS: Principal = {
  kind: 'principal',
  subject: 'anonymous',
  method: 'none',
  scopes: new Set(SCOPES),
};

/** The known scopes among `names`. */
export function knownScopes(names: readonly string[]): ReadonlySet<Scope> {
  return new Set(SCOPES.filter((scope) => names.includes(scope)));
}
