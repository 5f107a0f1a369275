/** `quanren cron next`: when a schedule fires. */
import type { Command } from 'commander';
import { loadSettings } from '../../config/settings.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { parseCron } from '../../platform/schedule/cron-expression.js';
import { cronTimesAfter } from '../../platform/schedule/cron-times.js';
import { floorDivide, formatLocal, parseDate, parseWrittenInstant } from '../../rules/civil.js';
import { getZone, isZone, type Zone } from '../../rules/zone.js';

const MAX_COUNT = 10_000;

export function addCronCommand(program: Command): void {
  const cron = program
    .command('cron')
    .description('Reads the schedules of crowds.')
    .addHelpText('after', '\nExample:\n  quanren cron next "0 0 2 * * ?" --tz Asia/Shanghai');
  cron
    .command('next')
    .argument('<expression>', 'Quartz with 6 or 7 fields, or cron with 5; in quotes')
    .description('Shows when a schedule fires next.')
    .option('--tz <zone>', 'IANA time zone (default: the platform’s)')
    .option('--from <time>', 'only times after this, for example 2026-11-23T10:00:00+08:00 (default: now)')
    .option('--count <n>', `how many times, 1 to ${MAX_COUNT}`, '5')
    .option('--json', 'an array of ISO instants')
    .addHelpText(
      'after',
      "\nExample:\n  quanren cron next '0 0 2 * * ?' --tz Asia/Shanghai --from 2026-11-23T10:00:00+08:00 --count 3",
    )
    .action((expression: string, options: { tz?: string; from?: string; count: string; json?: true }) => {
      const schedule = parseCron(expression);
      const zone = readZone(options.tz ?? loadSettings(process.env)['time.zone']);
      const afterMs = options.from === undefined ? Date.now() : readTime(options.from, zone);
      const count = readCount(options.count);
      const times: number[] = [];
      for (const time of cronTimesAfter(schedule, zone, afterMs)) {
        if (times.push(time) === count) break;
      }
      if (options.json) console.log(JSON.stringify(times.map((time) => new Date(time).toISOString())));
      else if (times.length === 0) console.log('never');
      else for (const time of times) console.log(formatInZone(time, zone));
    });
}

function readZone(name: string): Zone {
  if (!isZone(name)) {
    throw new QuanrenError('bad_request', `There is no time zone '${name}': name one such as Asia/Shanghai.`);
  }
  return getZone(name);
}

/** Epoch milliseconds. A time without a zone is in `zone`. */
function readTime(text: string, zone: Zone): number {
  const day = parseDate(text);
  const written = day === null ? parseWrittenInstant(text) : null;
  if (day !== null) return Number(floorDivide(zone.startOfDay(day), 1_000n));
  if (written === null) {
    throw new QuanrenError(
      'bad_request',
      `'${text}' is not a time: write it as 2026-11-23T10:00:00+08:00 (a time without a zone is in --tz).`,
    );
  }
  const { localMicros, offsetSeconds } = written;
  const micros =
    offsetSeconds === null
      ? zone.instantOfLocal(localMicros)
      : localMicros - BigInt(offsetSeconds) * 1_000_000n;
  return Number(floorDivide(micros, 1_000n));
}

function readCount(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_COUNT) {
    throw new QuanrenError(
      'bad_request',
      `--count must be a whole number from 1 to ${MAX_COUNT}, not '${text}'.`,
    );
  }
  return count;
}

/** `2026-11-24T02:00:00+08:00` */
function formatInZone(timeMs: number, zone: Zone): string {
  const minutes = Math.round(zone.offsetAt(timeMs / 1_000) / 60);
  const [hour, minute] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60].map((part) =>
    String(part).padStart(2, '0'),
  );
  const local = formatLocal(BigInt(timeMs) * 1_000n + BigInt(zone.offsetAt(timeMs / 1_000)) * 1_000_000n);
  return `${local}${minutes < 0 ? '-' : '+'}${hour}:${minute}`;
}
