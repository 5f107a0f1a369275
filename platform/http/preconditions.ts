/** If-Match and If-None-Match (RFC 9110, 13.1) on things whose entity tag is their version: `"3"`. */
import { QuanrenError } from '../../errors/quanren-error.js';

export interface PreconditionHeaders {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}

export type Precondition =
  /** If-None-Match: * */
  | { readonly kind: 'absent' }
  /** If-Match: * */
  | { readonly kind: 'present' }
  /** If-Match with one version or several; weak tags and those of other makes match nothing. */
  | { readonly kind: 'versions'; readonly versions: readonly number[] }
  | { readonly kind: 'none' };

export const toEntityTag = (version: number): string => `"${version}"`;

/** Throws `bad_request` for headers that cannot be read, or that ask for two things at once. */
export function readPrecondition(headers: PreconditionHeaders): Precondition {
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (ifMatch !== undefined && ifNoneMatch !== undefined) {
    throw new QuanrenError('bad_request', 'Give If-Match or If-None-Match, not both.');
  }
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === '*') return { kind: 'absent' };
    throw new QuanrenError('bad_request', 'If-None-Match takes only * here: create, and do not replace.');
  }
  if (ifMatch === undefined) return { kind: 'none' };
  if (ifMatch.trim() === '*') return { kind: 'present' };
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  if (!tags.every((tag) => /^(W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/.test(tag))) {
    throw new QuanrenError(
      'bad_request',
      'If-Match takes entity tags such as "3", as the ETag header gives them.',
    );
  }
  const versions = tags.flatMap((tag) => {
    const version = /^"([1-9][0-9]{0,8})"$/.exec(tag)?.[1];
    return version === undefined ? [] : [Number(version)];
  });
  return { kind: 'versions', versions };
}

/**
 * The version that a change must find, from the precondition and what there is now (undefined: nothing). What is read
 * here is held against the database once more inside the change. Throws `precondition_required` where something would
 * be replaced unseen, and `precondition_failed`.
 */
export function expectVersion(precondition: Precondition, current: number | undefined): number | 'absent' {
  switch (precondition.kind) {
    case 'absent':
      return 'absent';
    case 'none':
      if (current === undefined) return 'absent';
      throw new QuanrenError(
        'precondition_required',
        `It exists, with ETag ${toEntityTag(current)}. Send that as If-Match once you have seen it.`,
        { extra: { currentVersion: current } },
      );
    case 'present':
      if (current !== undefined) return current;
      break;
    case 'versions':
      if (current !== undefined && precondition.versions.includes(current)) return current;
      break;
  }
  const now = current === undefined ? 'It does not exist.' : `It has version ${current}.`;
  throw new QuanrenError(
    'precondition_failed',
    `${now} If-Match asks for another: read it again, and repeat.`,
    {
      ...(current === undefined ? {} : { extra: { currentVersion: current } }),
    },
  );
}
