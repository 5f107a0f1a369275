/** Runs a script of bench/k6/ and reads its summary. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LOAD_CORE, needProgram } from './processes.js';

/** `http_req_duration`, `answered{scenario:x}` …: what k6 says of it, as `p(99)`, `rate`, `count`. Times in milliseconds. */
type K6Metrics = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface K6Result {
  readonly metrics: K6Metrics;
  /** `metric: threshold`; empty where all were kept. */
  readonly missed: readonly string[];
}

const SCRIPTS = path.resolve(import.meta.dirname, '..', '..', '..', 'bench', 'k6');
/**
 * What k6 itself adds counts as the gateway's. At 2,000 requests a second from one core its p99 was 3 to 8 ms, and is 0.9 with
 * these: Go's collector waits until there is a lot to collect (https://go.dev/doc/gc-guide), and what computes does not hold
 * up what reads replies, since the system, not Go, shares the core out.
 */
const QUIET_GO = { GOGC: 'off', GOMEMLIMIT: '3GiB', GOMAXPROCS: '4' };
/** https://grafana.com/docs/k6/latest/using-k6/thresholds/: the exit code where thresholds were missed. */
const THRESHOLDS_MISSED = 99;

export function needK6(): void {
  needProgram('k6', 'go install go.k6.io/k6@v1.8.1, or see grafana.com/docs/k6');
}

/** `environment`: the script's settings. Rejects when k6 itself fails. */
export async function runK6(
  script: string,
  environment: Readonly<Record<string, string>>,
): Promise<K6Result> {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-k6-'));
  try {
    const file = path.join(folder, 'summary.json');
    const settings = Object.entries(environment).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    const options = ['--quiet', '--no-usage-report', '--summary-export', file];
    const statistics = ['--summary-trend-stats', 'med,p(99),p(99.9),max'];
    const k6 = ['k6', 'run', ...options, ...statistics, ...settings, path.join(SCRIPTS, script)];
    const child = spawn('taskset', ['-c', LOAD_CORE, ...k6], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...QUIET_GO },
    });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const [code] = await once(child, 'close');
    if (code !== 0 && code !== THRESHOLDS_MISSED)
      throw new Error(`k6 run ${script} ended with ${String(code)}: ${errors}`);
    return readSummary(readFileSync(file, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** In its export, a threshold that was missed is `true`. */
function readSummary(text: string): K6Result {
  const { metrics } = JSON.parse(text) as {
    metrics: Record<string, Record<string, number> & { thresholds?: Record<string, boolean> }>;
  };
  const missed = Object.entries(metrics).flatMap(([name, { thresholds = {} }]) =>
    Object.entries(thresholds)
      .filter(([, isMissed]) => isMissed)
      .map(([threshold]) => `${name}: ${threshold}`),
  );
  return { metrics, missed };
}
