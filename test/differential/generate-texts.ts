/** Texts that engines are known to trip over, and what resembles them. */
import type { Random } from './random.js';

const PIECES = [
  'a',
  'A',
  '\u00e1',
  'a\u0301',
  'ß',
  'SS',
  '北京',
  '上海',
  '😀',
  '👨‍👩‍👧',
  '𠮷',
  '\u200b',
  '\u200d',
  '\ufeff',
  '\u202e',
  "'",
  "''",
  '"',
  '`',
  '\\',
  "\\'",
  '\\n',
  '%',
  '_',
  '%_',
  '$$',
  '$1',
  ';--',
  '/*',
  '*/',
  '?',
  ':x',
  '{',
  '}',
  '\n',
  '\r\n',
  '\t',
  '\u0001',
  '\u007f',
  '\u0085',
  '\u2028',
  '\uffff',
  ' ',
  '\u00a0',
  '0',
  'NULL',
  'true',
  'İ',
  'ı',
  'ﬁ',
  '\u00c5',
  'A\u030a',
] as const;

/** Special in LIKE: they must mean themselves. */
const WILDCARDS = ['%', '_', '\\%', '\\_'] as const;

/** Never with U+0000 or a lone surrogate. */
export function generateText(random: Random): string {
  const pieces = random.list(1, 4, () => random.pick(random.chance(0.15) ? WILDCARDS : PIECES));
  return pieces.join('');
}

/** Another text that shares something with this one, or the same one. */
export function varyText(random: Random, text: string): string {
  switch (random.int(10)) {
    case 0:
      return text + random.pick(PIECES);
    case 1:
      return random.pick(PIECES) + text;
    case 2:
      return Array.from(text).slice(1).join('');
    case 3:
      return Array.from(text).slice(0, -1).join('');
    // What would match if % and _ were patterns.
    case 6:
      return text.replace(/[%_]/u, random.pick(['', 'x', '北', 'xy', '😀']));
    case 4:
      return text.normalize(random.pick(['NFC', 'NFD']));
    case 5:
      return random.chance(0.5) ? text.toUpperCase() : `${text} `;
    default:
      return text;
  }
}
