/**
 * One line of a purchases file, in the fixed columns of CDNOW_master.txt (Fader and Hardie; widths as measured on all of its
 * 69,659 lines):
 *
 *     bytes  0      a space
 *            1– 5   customer id, five digits, kept as text
 *            6      a space
 *            7–14   date, yyyymmdd
 *           15–17   number of CDs, right-aligned
 *           18–25   dollars with two decimals, right-aligned
 */
import { isUtf8 } from 'node:buffer';
import { dayOfDate } from '../../rules/civil.js';

export const PURCHASE_LINE_BYTES = 26;

export const REJECT_REASONS = [
  'not_utf8',
  'width',
  'customer_id',
  'date',
  'number_of_cds',
  'dollar_value',
] as const;
/** Why a line is not a purchase: the first that holds. */
export type RejectReason = (typeof REJECT_REASONS)[number];

export interface Purchase {
  readonly uid: string;
  /** Days since 1970-01-01. */
  readonly purchaseDay: number;
  /** 0 to 999. */
  readonly cds: number;
  /** 0 to 9,999,999: hundredths of a dollar. */
  readonly cents: number;
}

const HEADER = /^ *customer_id +date +number_of_cds +dollar_value *$/;

/** Is this the header that a purchases file starts with? The line end is not part of the line. */
export function isPurchaseHeader(line: Buffer): boolean {
  return HEADER.test(line.toString('latin1'));
}

/** `line` without its line end. */
export function parsePurchaseLine(line: Buffer): Purchase | RejectReason {
  if (!isUtf8(line)) return 'not_utf8';
  if (line.length !== PURCHASE_LINE_BYTES) return 'width';
  const text = line.toString('latin1');
  if (!/^ \d{5} $/.test(text.slice(0, 7))) return 'customer_id';
  const digits = text.slice(7, 15);
  const day = /^\d{8}$/.test(digits)
    ? dayOfDate(Number(digits.slice(0, 4)), Number(digits.slice(4, 6)), Number(digits.slice(6)))
    : null;
  if (day === null) return 'date';
  const cds = text.slice(15, 18);
  if (!/^ *\d+$/.test(cds)) return 'number_of_cds';
  const dollars = text.slice(18);
  if (!/^ *\d+\.\d{2}$/.test(dollars)) return 'dollar_value';
  return {
    uid: text.slice(1, 6),
    purchaseDay: day,
    cds: Number(cds),
    cents: Number(dollars.replace('.', '')),
  };
}
