/** What is made of many measurements, and how it is shown. */
import { cpus, loadavg } from 'node:os';
import { quantile as quantileOf } from '../../test/support/quantile.js';

/** As of the faults' report; NaN of none. */
export function quantile(numbers: readonly number[], part: number): number {
  return quantileOf(numbers, part) ?? Number.NaN;
}

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);

/** With so many decimals, and thousands apart; a dash for what is no number. */
export function show(value: number, digits = 0): string {
  if (!Number.isFinite(value)) return '–';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function showRow(...cells: readonly string[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

export function showHead(...cells: readonly string[]): void {
  showRow(...cells);
  showRow(...cells.map(() => '---'));
}

export function describeMachine(): string {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model}, Node ${process.versions.node}; load average ${show(loadavg()[0] ?? 0, 1)}`;
}
