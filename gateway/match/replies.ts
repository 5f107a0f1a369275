/**
 * The JSON of the match replies. A reply is the uid's part and a tail; tails do not depend on the user, so the cache
 * keeps them ready-made. Everything that answers builds its bytes here.
 */

/** `fresh`, or since when it may be out of date, in epoch milliseconds. */
export type Freshness = 'fresh' | number;

export type Verdict = 'member' | 'not_member' | 'unknown_crowd' | 'paused_crowd';

export const UID_START = '{"uid":"';

/** ASCII that means itself in JSON. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;

/** The uid as it stands between quotes. */
export function uidText(uid: string): string {
  return PLAIN_TEXT.test(uid) ? uid : JSON.stringify(uid).slice(1, -1);
}

function statusMembers(freshness: Freshness): string {
  return freshness === 'fresh'
    ? '"status":"fresh"'
    : `"status":"stale","asOf":"${new Date(freshness).toISOString()}"`;
}

/** After the uid: its crowds, sorted. */
export function listTail(sortedCodes: readonly string[], freshness: Freshness): string {
  return `","userCrowds":${JSON.stringify(sortedCodes)},${statusMembers(freshness)}}`;
}

/** `"isMatch":…` and, where it is false, the reason. */
export function verdictMembers(verdict: Verdict): string {
  return verdict === 'member' ? '"isMatch":true' : `"isMatch":false,"reason":"${verdict}"`;
}

/** After the uid: is the user in that crowd? */
export function crowdTail(crowdCode: string, verdict: Verdict, freshness: Freshness): string {
  return `","crowdCode":${JSON.stringify(crowdCode)},${verdictMembers(verdict)},${statusMembers(freshness)}}`;
}

/** After the uid: the answer to each of several crowds, in their order. */
export function matchesTail(
  answers: readonly { readonly crowdCode: string; readonly verdict: Verdict }[],
  freshness: Freshness,
): string {
  const matches = answers.map(
    ({ crowdCode, verdict }) => `{"crowdCode":${JSON.stringify(crowdCode)},${verdictMembers(verdict)}}`,
  );
  return `","matches":[${matches.join()}],${statusMembers(freshness)}}`;
}

/** After the uid: the realtime tags, sorted by code. */
export function tagsTail(tags: ReadonlyMap<string, string>, freshness: Freshness): string {
  const sorted = [...tags].sort(([a], [b]) => (a < b ? -1 : 1));
  return `","tags":${JSON.stringify(Object.fromEntries(sorted))},${statusMembers(freshness)}}`;
}
