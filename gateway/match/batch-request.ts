/** The body of `POST /match/batch`. */
import { QuanrenError } from '../../errors/quanren-error.js';
import { checkCrowdCode, unknownName } from './query.js';

export const MAX_BATCH_UIDS = 1_000;
export const MAX_BATCH_CROWDS = 100;
/** 1,000 uids of 512 bytes, each byte escaped as `\u0000` is, and room for the rest. */
export const MAX_BATCH_BYTES = 4 * 1024 * 1024;

export interface BatchRequest {
  readonly uids: readonly string[];
  /** Absent: all crowds of each user are asked for. */
  readonly crowdCodes: readonly string[] | undefined;
}

function bad(detail: string): never {
  throw new QuanrenError('bad_request', detail);
}

function strings(value: unknown, name: string, max: number): readonly string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    bad(`'${name}' must be an array of strings.`);
  }
  if (value.length > max) bad(`'${name}' has ${value.length} items; at most ${max} are taken.`);
  return value;
}

/** Throws `bad_request`. What is wrong with a single uid is told in its item of the reply. */
export function parseBatchRequest(body: Uint8Array): BatchRequest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    bad('The body is not JSON in UTF-8.');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    bad('The body is no JSON object.');
  const { uids, crowdCodes, ...others } = parsed as { uids?: unknown; crowdCodes?: unknown };
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw unknownName('field', unknown, ['uids', 'crowdCodes']);
  const codes = crowdCodes === undefined ? undefined : strings(crowdCodes, 'crowdCodes', MAX_BATCH_CROWDS);
  codes?.forEach(checkCrowdCode);
  return { uids: strings(uids, 'uids', MAX_BATCH_UIDS), crowdCodes: codes };
}
