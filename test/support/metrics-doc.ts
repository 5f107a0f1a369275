/** The table of docs/metrics.md. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

const FILE = path.resolve(import.meta.dirname, '..', '..', '..', 'docs', 'metrics.md');

export interface DocumentedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** In the order of the table. */
export function documentedMetrics(): DocumentedMetric[] {
  return readFileSync(FILE, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [name = '', type = '', labels = '', help = ''] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return {
        ...{ name: name.replaceAll('`', ''), type, help },
        labels: labels === '' ? [] : labels.split(', '),
      };
    });
}
