/** The parameters of a request, read as an HTML form writes them: `+` is a space, percent-encoded UTF-8. */
import { QuanrenError } from '../../errors/quanren-error.js';
import { checkUid } from '../../stores/row-key.js';

/** Crowd codes have 1 to 50 characters; one that is no code is an unknown crowd, a longer one a mistake. */
const MAX_CROWD_CODE_CHARS = 50;
/** Of a name that is not known. */
const MAX_SHOWN_CHARS = 50;

export interface MatchQuery {
  readonly uid: string;
  /** Absent: all crowds of the user are asked for. */
  readonly crowdCode: string | undefined;
}

function decode(text: string): string {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new QuanrenError('bad_request', 'The query is not percent-encoded UTF-8.');
  }
}

/** The values of the parameters in `names`; any other is a mistake, which must not pass for a question without it. */
function parseParameters(query: string, names: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const rawName = equals < 0 ? pair : pair.slice(0, equals);
    const name = names.includes(rawName) ? rawName : decodeName(rawName);
    if (name === undefined || !names.includes(name)) throw unknownName('parameter', rawName, names);
    if (found.has(name)) throw new QuanrenError('bad_request', `The parameter '${name}' is given twice.`);
    found.set(name, equals < 0 ? '' : decode(pair.slice(equals + 1)));
  }
  return found;
}

/** `what`: `parameter` or `field`. */
export function unknownName(what: string, name: string, known: readonly string[]): QuanrenError {
  const shown = name.slice(0, MAX_SHOWN_CHARS);
  return new QuanrenError('bad_request', `There is no ${what} '${shown}': known are ${known.join(' and ')}.`);
}

function decodeName(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function uidOf(parameters: ReadonlyMap<string, string>): string {
  const uid = parameters.get('uid');
  if (uid === undefined) throw new QuanrenError('bad_request', "The parameter 'uid' is missing.");
  checkUid(uid);
  return uid;
}

/** Throws `bad_request` or `invalid_uid`. */
export function checkCrowdCode(crowdCode: string): void {
  if (crowdCode === '') throw new QuanrenError('bad_request', 'The crowd code is empty.');
  if (crowdCode.length > MAX_CROWD_CODE_CHARS) {
    throw new QuanrenError(
      'bad_request',
      `The crowd code is longer than ${MAX_CROWD_CODE_CHARS} characters.`,
    );
  }
}

/** Throws `bad_request` or `invalid_uid`. */
export function parseMatchQuery(query: string): MatchQuery {
  const parameters = parseParameters(query, ['uid', 'crowdCode']);
  const crowdCode = parameters.get('crowdCode');
  if (crowdCode !== undefined) checkCrowdCode(crowdCode);
  return { uid: uidOf(parameters), crowdCode };
}

/** Throws `bad_request` or `invalid_uid`. */
export function parseTagsQuery(query: string): { readonly uid: string } {
  return { uid: uidOf(parseParameters(query, ['uid'])) };
}
