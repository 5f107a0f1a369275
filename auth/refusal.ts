/** What to answer where a request may not pass: the problem and the headers of RFC 6750, section 3. */
import { QuanrenError } from '../errors/quanren-error.js';
import type { AuthResult, Scope } from './principal.js';

export interface Refusal {
  readonly error: QuanrenError;
  readonly headers: Readonly<Record<string, string>>;
}

const REALM = 'Bearer realm="quanren"';

/** undefined where `result` may do what needs `scope`; else 401, 403 or 503 with its headers. */
export function refusalFor(result: AuthResult, scope: Scope): Refusal | undefined {
  if (result.kind === 'principal') {
    if (result.scopes.has(scope)) return undefined;
    return {
      error: new QuanrenError('forbidden', `This needs the scope '${scope}', which the credentials lack.`),
      headers: { 'WWW-Authenticate': `${REALM}, error="insufficient_scope", scope="${scope}"` },
    };
  }
  switch (result.reason) {
    case 'missing':
      return {
        error: new QuanrenError('unauthenticated', result.detail),
        headers: { 'WWW-Authenticate': REALM },
      };
    case 'invalid':
      return {
        error: new QuanrenError('unauthenticated', result.detail),
        headers: {
          'WWW-Authenticate': `${REALM}, error="invalid_token", error_description="${result.detail.replaceAll(/["\\]/g, "'")}"`,
        },
      };
    case 'unavailable':
      return { error: new QuanrenError('unavailable', result.detail), headers: { 'retry-after': '1' } };
  }
}
