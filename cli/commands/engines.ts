/** `quanren engines`: the real servers on loopback, for development and tests. They stay up when the command ends. */
import path from 'node:path';
import type { Command } from 'commander';
import { loadSettings } from '../../config/settings.js';
import type { Engine, Ports, ProcessStatus } from '../../engines/engine.js';
import { readTail } from '../../engines/server-log.js';
import { ENGINE_KINDS, type EngineKind, findEngine } from '../../engines/start-engine.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { followFiles } from '../follow-files.js';
import { readWholeNumber } from '../whole-number.js';

/** Of region servers, and of brokers. */
const MAX_SERVERS = 5;
const MAX_LINES = 10_000;

interface Named {
  readonly name: string;
}

/** What `--json` prints of an engine; the addresses are there once it was up. */
interface EngineReport {
  readonly engine: EngineKind;
  readonly name: string;
  readonly state: 'up' | 'down' | 'broken';
  readonly addresses: Readonly<Record<string, string>>;
  readonly processes: readonly {
    readonly name: string;
    readonly status: ProcessStatus;
    readonly pid: number | null;
    readonly rssBytes: number;
    readonly logFile: string;
  }[];
}

function readKinds(given: readonly string[]): EngineKind[] {
  const wrong = given.find((each) => !(ENGINE_KINDS as readonly string[]).includes(each));
  if (wrong !== undefined) {
    throw new QuanrenError('bad_request', `There is no engine '${wrong}', only: ${ENGINE_KINDS.join(', ')}.`);
  }
  return ENGINE_KINDS.filter((kind) => given.length === 0 || given.includes(kind));
}

function readName(name: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,39}$/.test(name)) return name;
  throw new QuanrenError(
    'bad_request',
    `--name takes up to 40 of a-z, 0-9, - and _, the first a letter or digit, not '${name}'.`,
  );
}

/** `kafka=9092` is the engine's first port, `hbase.zookeeper=2181` one of its others. */
function readPorts(given: readonly string[]): Readonly<Partial<Record<EngineKind, Ports>>> {
  const ports: Partial<Record<EngineKind, Record<string, number>>> = {};
  for (const each of given) {
    const [, engine = '', port, number = ''] = /^(\w+)(?:\.([\w-]+))?=(\d+)$/.exec(each) ?? [];
    const [kind] = ENGINE_KINDS.filter((known) => known === engine);
    if (kind === undefined) {
      throw new QuanrenError(
        'bad_request',
        `--port takes ENGINE=NUMBER or ENGINE.PORT=NUMBER, as hbase.master=16000, not '${each}'.`,
      );
    }
    const name = port ?? (kind === 'hbase' ? 'master' : kind);
    ports[kind] = { ...ports[kind], [name]: readWholeNumber('--port', number, 1, 65_535) };
  }
  return ports;
}

interface Choices {
  readonly ports?: Ports;
  readonly regionServers?: number;
  readonly brokers?: number;
  readonly onProgress?: (text: string) => void;
}

function openEngine(kind: EngineKind, name: string, choices: Choices = {}): Engine {
  const settings = loadSettings(process.env);
  return findEngine(kind, {
    folder: path.resolve(settings['data.dir'], 'engines', readName(name), kind),
    cacheFolder: path.resolve(settings['engines.cacheDir']),
    ...choices,
  });
}

async function report(engine: Engine, kind: EngineKind, name: string): Promise<EngineReport> {
  const statuses = await engine.status();
  const processes = engine.processes.map((each) => ({
    name: each.name,
    status: statuses.get(each.name) ?? 'stopped',
    pid: each.pid ?? null,
    rssBytes: each.rssBytes,
    logFile: each.logFile,
  }));
  const isDown = processes.every(({ status }) => status === 'stopped');
  const isUp = processes.every(({ status }) => status === 'answers');
  const state = isDown ? 'down' : isUp ? 'up' : 'broken';
  return { engine: kind, name, state, addresses: engine.addresses, processes };
}

const toMib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

/** `broken: regionserver-2 is dead` */
function describeState({ state, processes }: EngineReport): string {
  if (state !== 'broken') return state;
  const wrong = processes.filter(({ status }) => status !== 'answers');
  return `broken: ${wrong.map(({ name, status }) => `${name} is ${status}`).join(', ')}`;
}

function print(reports: readonly EngineReport[]): void {
  for (const each of reports) {
    console.log(`${each.engine.padEnd(9)} ${describeState(each)}`);
    if (each.state === 'down') continue;
    for (const [name, address] of Object.entries(each.addresses)) {
      console.log(`  ${name.padEnd(16)} ${address}`);
    }
    for (const { name, pid, rssBytes, status } of each.processes) {
      if (status === 'dead' || status === 'stopped') continue;
      console.log(`  ${name.padEnd(16)} process ${pid}, ${toMib(rssBytes)}`);
    }
  }
}

interface UpOptions extends Named {
  readonly port: readonly string[];
  readonly regionServers?: string;
  readonly brokers?: string;
  readonly json?: true;
}

/** Throws `bad_request` for options of engines that are not asked for. */
function refuseIdleOptions(
  kinds: readonly EngineKind[],
  options: Readonly<Partial<Record<EngineKind, string>>>,
): void {
  for (const [kind, option] of Object.entries(options)) {
    if ((kinds as readonly string[]).includes(kind)) continue;
    throw new QuanrenError(
      'bad_request',
      `${option} is for ${kind}, which is not among those to start (${kinds.join(', ')}): name it, or leave the option out.`,
    );
  }
}

async function up(given: readonly string[], options: UpOptions): Promise<void> {
  const kinds = readKinds(given);
  const ports = readPorts(options.port);
  refuseIdleOptions(kinds, {
    ...Object.fromEntries(Object.keys(ports).map((kind) => [kind, '--port'])),
    ...(options.regionServers === undefined ? {} : { hbase: '--region-servers' }),
    ...(options.brokers === undefined ? {} : { kafka: '--brokers' }),
  });
  const layouts: Partial<Record<EngineKind, Pick<Choices, 'regionServers' | 'brokers'>>> = {
    ...(options.regionServers === undefined
      ? {}
      : {
          hbase: {
            regionServers: readWholeNumber('--region-servers', options.regionServers, 1, MAX_SERVERS),
          },
        }),
    ...(options.brokers === undefined
      ? {}
      : { kafka: { brokers: readWholeNumber('--brokers', options.brokers, 1, MAX_SERVERS) } }),
  };
  const start = async (kind: EngineKind): Promise<EngineReport> => {
    const startedAt = performance.now();
    // On stderr: stdout is for the report.
    const say = (text: string) => console.error(`${kind}: ${text}`);
    const engine = openEngine(kind, options.name, {
      ...(ports[kind] === undefined ? {} : { ports: ports[kind] }),
      ...layouts[kind],
      onProgress: say,
    });
    for (const each of engine.processes) {
      if (each.state === 'dead') say(`${each.name} is dead; starting it again …`);
    }
    const started = await engine.start();
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    say(started.length === 0 ? 'was up' : `up after ${seconds} s`);
    return report(engine, kind, options.name);
  };
  const outcomes = await Promise.allSettled(kinds.map(start));
  const reports = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  if (options.json) console.log(JSON.stringify(reports, null, 2));
  else print(reports);
  const failures = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  const [first, ...others] = failures;
  for (const each of others) console.error(`quanren: ${each instanceof Error ? each.message : each}`);
  if (first !== undefined) throw first;
}

async function down(given: readonly string[], options: Named & { json?: true }): Promise<void> {
  const stopped = await Promise.all(
    readKinds(given).map(async (engine) => ({
      engine,
      stopped: await openEngine(engine, options.name).stop(),
    })),
  );
  if (options.json) console.log(JSON.stringify(stopped, null, 2));
  else {
    for (const each of stopped) {
      console.log(`${each.engine.padEnd(9)} ${each.stopped.length === 0 ? 'was down' : 'stopped'}`);
    }
  }
}

async function status(given: readonly string[], options: Named & { json?: true }): Promise<void> {
  const reports = await Promise.all(
    readKinds(given).map((kind) => report(openEngine(kind, options.name), kind, options.name)),
  );
  if (options.json) console.log(JSON.stringify(reports, null, 2));
  else print(reports);
  // Those that were named are wanted up; without names, whatever was not taken down.
  const isWrong = ({ state }: EngineReport) => state === 'broken' || (given.length > 0 && state === 'down');
  if (reports.some(isWrong)) process.exitCode = 1;
}

async function logs(
  given: readonly string[],
  options: Named & { lines: string; follow?: true },
): Promise<void> {
  const lines = readWholeNumber('--lines', options.lines, 0, MAX_LINES);
  const kinds = readKinds(given);
  const files = kinds.flatMap((kind) =>
    openEngine(kind, options.name).processes.map(({ name, logFile }) => ({ label: name, file: logFile })),
  );
  if (files.length === 0) {
    const what = given.length === 0 ? 'no engine' : `none of ${kinds.join(', ')}`;
    throw new QuanrenError('not_found', `There are no logs: ${what} was ever started as '${options.name}'.`);
  }
  const width = Math.max(0, ...files.map(({ label }) => label.length));
  const write = (label: string, text: string) => {
    for (const line of text.split('\n')) console.log(`${label.padEnd(width)} | ${line}`);
  };
  for (const { label, file } of files) {
    const tail = readTail(file, lines);
    if (tail !== '' && lines > 0) write(label, tail);
  }
  if (options.follow) await followFiles(files, write);
}

export function addEnginesCommand(program: Command): void {
  const engines = program
    .command('engines')
    .description('Starts the real servers on loopback, for development and tests.')
    .addHelpText('after', '\nExample:\n  quanren engines up redis kafka && quanren engines status');
  const about = `${ENGINE_KINDS.join(', ')} (default: all)`;
  const add = (command: string, description: string, example: string): Command =>
    engines
      .command(command)
      .argument('[engines...]', about)
      .description(description)
      .option('--name <name>', 'whose folders within the data folder; two names run side by side', 'default')
      .addHelpText('after', `\nExample:\n  ${example}`);
  add(
    'up',
    'Starts what does not run, and waits until it answers.',
    'quanren engines up kafka hbase --region-servers 2 --port kafka=9092',
  )
    .option('--port <engine=number>', 'may be repeated; default: a free port', collect, [])
    .option('--region-servers <n>', 'HBase over HDFS, a JVM for each process; default: all in one JVM')
    .option('--brokers <n>', 'Kafka with so many nodes; default: one')
    .option('--json', 'an array of engines')
    .action(up);
  add(
    'down',
    'Stops what was started under the name, and keeps the data.',
    'quanren engines down --name test',
  )
    .option('--json', 'an array of engines')
    .action(down);
  add(
    'status',
    'Shows what is up and answers; exit code 1 when something is broken, or named and down.',
    'quanren engines status',
  )
    .option('--json', 'an array of engines')
    .action(status);
  add('logs', 'Shows what the servers last said.', 'quanren engines logs hbase -f')
    .option('--lines <n>', `of each server, 0 to ${MAX_LINES}`, '20')
    .option('-f, --follow', 'goes on until Ctrl-C')
    .action(logs);
}

function collect(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}
