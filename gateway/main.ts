/**
 * Runs the match gateway: `node dist/gateway/main.js`, with the settings of config/settings.ts. Says to the process that
 * started it `{progress}` of what to know, then `{ready}` or `{failed}`; SIGTERM stops it, within gateway.drainMs.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { checkTlsFiles } from '../auth/tls-files.js';
import { formatAddress } from '../config/addresses.js';
import { createLogger, logCrashes } from '../config/logger.js';
import { stopOnRequest, tellParent } from '../config/parent.js';
import { loadSettings } from '../config/settings.js';
import { VERSION } from '../config/version.js';
import { ErrorLog } from '../errors/error-log.js';
import { QuanrenError } from '../errors/quanren-error.js';
import { readKafkaSettings } from '../events/kafka/kafka-connection.js';
import { openEventBus } from '../events/open-event-bus.js';
import { locateStores } from '../stores/store-location.js';
import { locateRedis } from './cache/redis/redis-location.js';
import { describeBackEnds } from './describe-back-ends.js';
import { type Gateway, startGateway } from './start-gateway.js';

const log = createLogger('gateway');
logCrashes(log);
const errors = new ErrorLog({ log, stopwatch: () => performance.now() });

function prepareSnapshots(
  folder: string,
  everyMinutes: number,
): { readonly folder: string; readonly everyMs: number } | undefined {
  if (everyMinutes === 0) return undefined;
  mkdirSync(folder, { recursive: true });
  return { folder, everyMs: everyMinutes * 60_000 };
}

async function run(): Promise<void> {
  const settings = loadSettings(process.env);
  const dataFolder = path.resolve(settings['data.dir']);
  const stores = locateStores(path.join(dataFolder, 'store'), settings);
  const kafka = readKafkaSettings(settings);
  const redis = locateRedis(settings);
  const deadLetters = new Map<string, number>();
  const bus = await openEventBus({
    kafka,
    folder: path.join(dataFolder, 'bus'),
    onDeadLetter: (topic, reason) => {
      deadLetters.set(topic, (deadLetters.get(topic) ?? 0) + 1);
      errors.note(`A message of ${topic}`, new QuanrenError('bad_request', `It was put aside: ${reason}.`));
    },
  });
  const tls = checkTlsFiles({ certFile: settings['tls.certFile'], keyFile: settings['tls.keyFile'] });
  let gateway: Gateway | undefined;
  const stop = async (): Promise<void> => {
    await gateway?.stop();
    await bus.close();
  };
  const isWanted = stopOnRequest(stop, (error) =>
    log.fatal({ err: error }, 'The gateway could not be stopped cleanly'),
  );
  if (!isWanted) return;

  gateway = await startGateway({
    bus,
    deadLetters,
    log,
    errors,
    host: settings['gateway.host'],
    port: settings['gateway.port'],
    metricsPort: settings['gateway.metricsPort'],
    workers: settings['gateway.workers'],
    workerHeapMib: settings['gateway.workerHeapMib'],
    transport: settings['gateway.transport'],
    tls,
    auth: {
      jwks: settings['auth.jwks'],
      issuer: settings['auth.issuer'],
      audience: settings['auth.audience'],
      clockSkewSeconds: settings['auth.clockSkewSeconds'],
      keysMaxAgeSeconds: settings['auth.keysMaxAgeSeconds'],
      apiKeysFile: settings['auth.apiKeysFile'],
    },
    stores,
    redis: redis === undefined ? undefined : { location: redis, timeoutMs: settings['redis.timeoutMs'] },
    usersPerSecond: settings['gateway.workerUsersPerSecond'],
    staleAfterMs: settings['gateway.staleAfterMs'],
    cacheEntries: settings['gateway.cacheEntries'],
    cacheTtlMs: settings['gateway.cacheTtlMs'],
    storeDeadlineMs: settings['gateway.storeDeadlineMs'],
    drainWithinMs: settings['gateway.drainMs'],
    snapshots: prepareSnapshots(path.join(dataFolder, 'gateway'), settings['gateway.snapshotMinutes']),
    isUnsafeExposureAllowed: settings['unsafe.listenWithoutAuthAndTls'],
    version: VERSION,
    onWarning: (text) => {
      log.warn(text);
      void tellParent({ progress: text });
    },
    onNews: (line) => void tellParent({ progress: line }),
    onGiveUp: () => {
      log.fatal('The workers die again and again; the gateway gives up');
      process.exit(1);
    },
  });
  const { port, metricsPort, transport } = gateway;
  const backEnds = describeBackEnds({ stores, kafka, redis });
  log.info(
    { port, metricsPort },
    `The match gateway serves on port ${port} through ${transport}: ${backEnds}`,
  );
  const troubles = await gateway.firstLook();
  const protocol = tls === undefined ? 'http' : 'https';
  const url = `${protocol}://${formatAddress({ host: settings['gateway.host'], port })}`;
  await tellParent({ ready: { url, port, metricsPort, transport, troubles } });
}

run().catch(async (error: unknown) => {
  const message = error instanceof QuanrenError ? error.message : 'The gateway could not start.';
  log.fatal({ err: error }, message);
  await tellParent({ failed: message });
  process.exit(1);
});
