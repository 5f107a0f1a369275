/** What the `quanren rules` commands read: rules, tags, crowds, rows. Errors name file, line and what to do. */
import { stat } from 'node:fs/promises';
import { QuanrenError } from '../errors/quanren-error.js';
import {
  type Anchor,
  type Diagnostic,
  type EvaluationContext,
  formatDiagnostic,
  getZone,
  isCode,
  isZone,
  JsonSyntaxError,
  lineAt,
  offsetOf,
  parseDate,
  parseInstant,
  parseJson,
  parseRow,
  parseTags,
  readJson,
  type Tag,
  type UserRow,
} from '../rules/index.js';
import { readLines, readText } from './text-input.js';

/** A JSON text as it stands in a file. */
export interface LocatedText {
  readonly file: string;
  /** The 1-based line of the file that the text begins in. */
  readonly line: number;
  readonly text: string;
}

/** A diagnostic with the place in the file. */
export interface LocatedDiagnostic extends Diagnostic {
  readonly file: string;
  readonly line: number;
}

/**
 * The rules of a file: one JSON value over any number of lines, or else one rule a line. It is the latter if the file
 * is not one JSON value and its first line is an object by itself, or if its name says so.
 */
export async function readRules(source: string): Promise<readonly LocatedText[]> {
  const text = await readText(source);
  const lines = text
    .split('\n')
    .map((line, index) => ({ file: source, line: index + 1, text: line }))
    .filter((line) => line.text.trim() !== '');
  const [first] = lines;
  if (first === undefined)
    throw new QuanrenError('bad_request', `${source} is empty: it should hold a rule.`);
  const looksLikeLines = /\.(ndjson|jsonl)$/.test(source) || /^\s*\{.*\}\s*$/.test(first.text);
  return looksLikeLines && !readJson(text).ok ? lines : [{ file: source, line: 1, text }];
}

export async function readTags(source: string): Promise<ReadonlyMap<string, Tag>> {
  const text = await readText(source);
  const tags = parseTags(text);
  if (tags.ok) return tags.value;
  throw inputError('The tags have errors', locate({ file: source, line: 1, text }, tags.diagnostics));
}

/** The rule of each crowd, by its code. */
export async function readCrowds(source: string | undefined): Promise<ReadonlyMap<string, LocatedText>> {
  const crowds = new Map<string, LocatedText>();
  if (source === undefined) return crowds;
  const text = await readText(source);
  const json = readJson(text);
  const whole = { file: source, line: 1, text };
  if (!json.ok) throw inputError('The crowds have errors', locate(whole, json.diagnostics));
  if (json.value.kind !== 'object') {
    throw new QuanrenError('bad_request', `${source}:1 should be an object, from crowd code to rule.`);
  }
  for (const { key, value } of json.value.members) {
    const line = lineAt(text, value.start);
    if (!isCode(key))
      throw new QuanrenError('bad_request', `${source}:${line} '${key}' is not a crowd code.`);
    if (crowds.has(key)) {
      throw new QuanrenError('bad_request', `${source}:${line} The crowd '${key}' is there more than once.`);
    }
    crowds.set(key, { file: source, line, text: text.slice(value.start, value.end) });
  }
  return crowds;
}

/** The rows of a file, one a line; blank lines are none. Throws where they are more than may be kept. */
export async function* readRows(
  source: string,
  maxCharacters = Number.POSITIVE_INFINITY,
): AsyncGenerator<UserRow> {
  let characters = 0;
  for await (const { text, line } of readLines(source)) {
    characters += text.length;
    if (characters > maxCharacters) {
      throw new QuanrenError(
        'bad_request',
        `${source}:${line} The rows are too many to be kept for one rule after the other: give them in a file.`,
      );
    }
    if (text.trim() !== '') yield expectRow({ file: source, line, text });
  }
}

/** In bytes; null for what is not a file, and may not be there to be read again. */
export async function sizeOfFile(source: string): Promise<number | null> {
  const found = source === '-' ? null : await stat(source).catch(() => null);
  return found?.isFile() ? found.size : null;
}

/** One row, from a file or from the argument itself where that begins with `{`. */
export async function readOneRow(source: string): Promise<UserRow> {
  if (source.trimStart().startsWith('{')) return expectRow({ file: '--row', line: 1, text: source });
  return expectRow({ file: source, line: 1, text: await readText(source) });
}

function expectRow(located: LocatedText): UserRow {
  const row = parseRow(located.text);
  if (row.ok) return row.value;
  throw inputError('The rows have errors', locate(located, row.diagnostics));
}

/** Zone and anchor from the options of a command. */
export function readContext({ tz, dt, at }: { tz: string; dt?: string; at?: string }): EvaluationContext {
  if (!isZone(tz)) {
    throw new QuanrenError(
      'bad_request',
      `--tz '${tz}' is no time zone: give an IANA name, as Asia/Shanghai.`,
    );
  }
  if (dt !== undefined && at !== undefined) {
    throw new QuanrenError('bad_request', 'Give --dt or --at, not both: there is one anchor.');
  }
  return { zone: tz, anchor: readAnchor(tz, dt, at) };
}

function readAnchor(zone: string, dt: string | undefined, at: string | undefined): Anchor | null {
  if (dt !== undefined) {
    const day = parseDate(dt);
    if (day === null)
      throw new QuanrenError('bad_request', `--dt '${dt}' is no day: write it as 2026-11-23.`);
    return { kind: 'dt', day };
  }
  if (at === undefined) return null;
  const micros = parseInstant(at, getZone(zone));
  if (micros !== null) return { kind: 'at', micros };
  throw new QuanrenError('bad_request', `--at '${at}' is no moment: write it as 2026-11-23T10:00:00+08:00.`);
}

/** Adds file and line to diagnostics that point into a text, or into the rules of crowds. */
export function locate(
  text: LocatedText,
  diagnostics: readonly Diagnostic[],
  crowds: ReadonlyMap<string, LocatedText> = new Map(),
): readonly LocatedDiagnostic[] {
  const offsets = new Map<LocatedText, (pointer: string) => number>();
  return diagnostics.map((diagnostic) => {
    const holder = diagnostic.crowd === undefined ? text : (crowds.get(diagnostic.crowd) ?? text);
    const offset = offsets.get(holder) ?? createOffsets(holder.text);
    offsets.set(holder, offset);
    const line = holder.line - 1 + lineAt(holder.text, offset(diagnostic.pointer));
    return { ...diagnostic, file: holder.file, line };
  });
}

/** From pointers to offsets; in a text that is not JSON, all lead to where it stops being it. */
function createOffsets(text: string): (pointer: string) => number {
  try {
    const json = parseJson(text);
    return (pointer) => offsetOf(json, pointer);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return () => error.offset;
  }
}

/** `file:line pointer code message — hint` */
export function formatLocated(diagnostic: LocatedDiagnostic): string {
  return `${diagnostic.file}:${diagnostic.line} ${formatDiagnostic(diagnostic)}`;
}

function inputError(summary: string, diagnostics: readonly LocatedDiagnostic[]): QuanrenError {
  const lines = diagnostics.map((diagnostic) => `\n  ${formatLocated(diagnostic)}`);
  return new QuanrenError('bad_request', `${summary}.${lines.join('')}`, { extra: { diagnostics } });
}
