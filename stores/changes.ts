/** What every store asks of a change before it looks at its own data. */
import { QuanrenError } from '../errors/quanren-error.js';
import { type ApplyResult, FUTURE_BOUND_MS, LATENESS_BOUND_MS } from './membership-store.js';
import { MAX_TAG_VALUE_BYTES } from './realtime-tag-store.js';
import { checkUid, hasLoneSurrogate } from './row-key.js';

/** Crowd and tag codes: they become column names. */
const CODE = /^[a-z][a-z0-9_]{0,49}$/;
/** The most that six bytes hold; in the year 10889. */
const MAX_CHANGE_TIME_MS = 2 ** 48 - 1;

/** Throws `invalid_uid` or `bad_request` where a change could not be stored as what it says. */
export function checkChange(uid: string, code: string, changeTimeMs: number): void {
  checkUid(uid);
  if (!CODE.test(code)) {
    throw new QuanrenError('bad_request', `'${code}' is not a code: it must match ${CODE.source}.`);
  }
  if (!Number.isInteger(changeTimeMs) || changeTimeMs < 0 || changeTimeMs > MAX_CHANGE_TIME_MS) {
    throw new QuanrenError('bad_request', `${changeTimeMs} is not a change time in whole milliseconds.`);
  }
}

/** Throws `bad_request` unless a realtime tag can have this value. */
export function checkValue(value: string): void {
  if (Buffer.byteLength(value) > MAX_TAG_VALUE_BYTES) {
    throw new QuanrenError('bad_request', `A value may have at most ${MAX_TAG_VALUE_BYTES} bytes of UTF-8.`);
  }
  if (value.includes('\0') || hasLoneSurrogate(value)) {
    throw new QuanrenError('bad_request', 'A value may contain neither U+0000 nor a lone surrogate.');
  }
}

/** The changes whose time is neither too old nor ahead, both bounds included; the result is true once these are durable. */
export function admitChanges<Change extends { readonly changeTimeMs: number }>(
  changes: readonly Change[],
  nowMs: number,
): { admitted: Change[]; result: ApplyResult } {
  const admitted: Change[] = [];
  let refusedTooOld = 0;
  let refusedFuture = 0;
  for (const change of changes) {
    if (change.changeTimeMs < nowMs - LATENESS_BOUND_MS) refusedTooOld += 1;
    else if (change.changeTimeMs > nowMs + FUTURE_BOUND_MS) refusedFuture += 1;
    else admitted.push(change);
  }
  return { admitted, result: { accepted: admitted.length, refusedTooOld, refusedFuture } };
}
