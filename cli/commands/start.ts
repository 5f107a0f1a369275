/** `quanren start`: the embedded profile in one command. */
import { get } from 'node:http';
import { get as getSecurely } from 'node:https';
import path from 'node:path';
import type { Command } from 'commander';
import { checkExposure } from '../../auth/exposure.js';
import { checkTlsFiles } from '../../auth/tls-files.js';
import { environmentName, loadSettings, type Settings } from '../../config/settings.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { readKafkaSettings } from '../../events/kafka/kafka-connection.js';
import { locateRedis } from '../../gateway/cache/redis/redis-location.js';
import { type BackEndsInUse, describeBackEnds } from '../../gateway/describe-back-ends.js';
import { readOwnPostgres } from '../../platform/postgres-settings.js';
import { locateStores } from '../../stores/store-location.js';
import { refuseHeldFolder } from '../folder-lock.js';
import { startPlatformStack } from '../platform-stack.js';
import { checkPort } from '../ports.js';
import { SupervisedProcess } from '../supervised-process.js';

const GATEWAY_READY_WITHIN_MS = 60_000;
const GATEWAY_STOP_WITHIN_MS = 20_000;
/** Beyond what the gateway itself waits for its bus. */
const READYZ_WITHIN_MS = 5_000;
const READYZ_INTERVAL_MS = 50;
const READYZ_TIMEOUT_MS = 1_000;
const UNREADY = 'The match gateway: answers 503 until the event bus has told it which crowds there are';

/** Lines that start with the seconds since the command was given. */
function createProgress(): (text: string) => void {
  const startedAt = performance.now();
  return (text) =>
    console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${text}`);
}

/** Whose certificate it is does not matter here: it is the child's, and for a name that this machine need not know. */
function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { timeout: READYZ_TIMEOUT_MS, rejectUnauthorized: false, agent: false };
    const request = (url.startsWith('https:') ? getSecurely : get)(`${url}/readyz`, options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

/** The gateway serves before it knows the crowds; people should be told to try it when it does. Whether it does. */
async function awaitReady(url: string): Promise<boolean> {
  const deadline = performance.now() + READYZ_WITHIN_MS;
  while (performance.now() < deadline) {
    if (await isReady(url)) return true;
    await new Promise((resolve) => setTimeout(resolve, READYZ_INTERVAL_MS));
  }
  return false;
}

interface Serving {
  readonly gatewayUrl: string;
  readonly platformUrl: string;
  /** What is not as it should be, a line each. */
  readonly troubles: readonly string[];
}

function describe(settings: Settings, { gatewayUrl, platformUrl, troubles }: Serving): string {
  const curl = isAuthOn(settings) ? 'curl -H "Authorization: Bearer $TOKEN"' : 'curl';
  const tries = settings.demo
    ? [
        `${gatewayUrl}/match?uid=00095`,
        `${gatewayUrl}/match?uid=00020&crowdCode=lapsed_premium_users`,
        `${platformUrl}/crowds/big_spenders_30d`,
        `${platformUrl}/explain?uid=00095&crowdCode=lapsed_premium_users`,
      ]
    : [`${gatewayUrl}/match?uid=anybody`, `${platformUrl}/crowds`];
  const state =
    troubles.length === 0
      ? 'Quanren is up.'
      : `Quanren is up, but not all that it needs:\n\n${troubles.map((each) => `  ${each}`).join('\n')}`;
  return `
${state}

  match gateway  ${gatewayUrl}
  platform       ${platformUrl}        (API: ${platformUrl}/openapi.json)
  metrics        http://127.0.0.1:${settings['gateway.metricsPort']}/metrics
  Postgres       ${describePostgres(settings)}
  stands on      ${describeBackEnds(locateBackEnds(settings))}
  data, logs     ${path.resolve(settings['data.dir'])}

Try:

${tries.map((url) => `  ${curl} '${url}'\n`).join('')}
Ctrl-C stops it.`;
}

function describePostgres(settings: Settings): string {
  const { host, port } = readOwnPostgres(settings)?.app ?? {
    host: '127.0.0.1',
    port: settings['postgres.port'],
  };
  return `${host}:${port}`;
}

/**
 * Resolves at the first. Later ones change nothing, since stopping is bounded: npm passes on a SIGINT that the terminal
 * has sent here already, and it would end this process in the middle.
 */
function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.on('SIGINT', resolve);
    process.on('SIGTERM', resolve);
  });
}

function locateBackEnds(settings: Settings): BackEndsInUse {
  return {
    stores: locateStores(path.resolve(settings['data.dir'], 'store'), settings),
    kafka: readKafkaSettings(settings),
    redis: locateRedis(settings),
  };
}

/** What the servers will check when they start, before anything is: a mistake should not take a minute to tell. */
function checkSettings(settings: Settings): void {
  const own = readOwnPostgres(settings);
  checkPortsDiffer(settings, own === null ? [...PORTS, 'postgres.port'] : PORTS);
  locateBackEnds(settings);
  const tls = checkTlsFiles({ certFile: settings['tls.certFile'], keyFile: settings['tls.keyFile'] });
  for (const host of [settings['gateway.host'], settings['platform.host']]) {
    checkExposure({
      host,
      authIsOn: isAuthOn(settings),
      tlsIsOn: tls !== undefined,
      isUnsafeAllowed: settings['unsafe.listenWithoutAuthAndTls'],
    });
  }
}

const PORTS = ['gateway.port', 'gateway.metricsPort', 'platform.port'] as const;

function checkPortsDiffer(
  settings: Settings,
  names: readonly ((typeof PORTS)[number] | 'postgres.port')[],
): void {
  for (const [i, name] of names.entries()) {
    const other = names.slice(0, i).find((each) => settings[each] === settings[name]);
    if (other === undefined) continue;
    throw new QuanrenError(
      'set_up',
      `${environmentName(other)} and ${environmentName(name)} are both ${settings[name]}: each needs a port of its own.`,
    );
  }
}

function isAuthOn(settings: Settings): boolean {
  return settings['auth.jwks'] !== '' || settings['auth.apiKeysFile'] !== '';
}

async function start(settings: Settings): Promise<void> {
  checkSettings(settings);
  const progress = createProgress();
  const stopAsked = signalled();
  // The ports are in use, too, where it already runs; this is the better thing to say.
  refuseHeldFolder(path.resolve(settings['data.dir']));
  await checkPort(settings['gateway.host'], settings['gateway.port'], 'gateway.port');
  await checkPort('127.0.0.1', settings['gateway.metricsPort'], 'gateway.metricsPort');
  await checkPort(settings['platform.host'], settings['platform.port'], 'platform.port');
  const stack = await startPlatformStack({
    settings,
    platformPort: settings['platform.port'],
    environment: {},
    events: { onProgress: progress, onTrouble: progress },
  });
  const gateway = new SupervisedProcess({
    name: 'the gateway',
    module: path.resolve(import.meta.dirname, '..', '..', 'gateway', 'main.js'),
    environment: process.env,
    logFile: path.resolve(settings['data.dir'], 'logs', 'gateway.log'),
    readyWithinMs: GATEWAY_READY_WITHIN_MS,
    stopWithinMs: GATEWAY_STOP_WITHIN_MS,
    onProgress: progress,
    onDeath: (why, restartInMs) => progress(`${why}; starting it again in ${restartInMs} ms`),
    onRecovery: () => progress('the gateway is up again'),
  });
  const bringUp = async (): Promise<void> => {
    const platformUrl = await stack.ready;
    progress('Starting the match gateway …');
    const { url, troubles } = (await gateway.start()) as { url: string; troubles: readonly string[] };
    const others = (await awaitReady(url)) ? [] : [UNREADY];
    console.log(describe(settings, { gatewayUrl: url, platformUrl, troubles: [...troubles, ...others] }));
    await stopAsked;
  };
  try {
    await Promise.race([bringUp(), stopAsked]);
    progress('Stopping …');
  } finally {
    await gateway.stop();
    await stack.stop();
  }
  progress('Stopped.');
}

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('Starts everything on this machine: Postgres, the platform, the match gateway.')
    .addHelpText('after', '\nExample:\n  QUANREN_GATEWAY_PORT=9080 quanren start')
    .action(() => start(loadSettings(process.env)));
}
