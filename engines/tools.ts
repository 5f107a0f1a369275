/** The programs of the machine that engines need; tools.json says how to look for them and how to install them. */
import { spawnSync } from 'node:child_process';
import { QuanrenError } from '../errors/quanren-error.js';
import tools from './tools.json' with { type: 'json' };

const OLDEST_JAVA = 17;
const CHECK_WITHIN_MS = 20_000;

/** Throws `set_up` naming the line that installs it. */
function check(tool: keyof typeof tools, reason: string): string {
  const { what, check: args, install } = tools[tool];
  const { status, stdout, stderr } = spawnSync(tool, args, { encoding: 'utf8', timeout: CHECK_WITHIN_MS });
  if (status === 0) return `${stdout}${stderr}`;
  throw new QuanrenError(
    'set_up',
    `${reason} needs ${what}, and '${tool}' cannot be run here. Install it: ${install}`,
  );
}

/** `openjdk version "17.0.15" 2025-04-15`; up to 8 the number came second (`1.8.0`). */
export function parseJavaVersion(said: string): number {
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(said) ?? [];
  return Number(first === '1' ? second : first);
}

export function requireJava(reason: string): void {
  const version = parseJavaVersion(check('java', reason));
  if (version >= OLDEST_JAVA) return;
  throw new QuanrenError(
    'set_up',
    `${reason} needs ${tools.java.what}, and the 'java' here is ${version}. Install it: ${tools.java.install}`,
  );
}

export function requireMaven(reason: string): void {
  requireJava(reason);
  check('mvn', reason);
}
