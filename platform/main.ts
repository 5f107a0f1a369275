/**
 * Runs the platform: `node dist/platform/main.js`, with the settings of config/settings.ts. Says `{progress}`, then
 * `{ready}` or `{failed}` to the process that started it; SIGTERM stops it.
 */
import path from 'node:path';
import { createAuthenticator, toAuthOptions } from '../auth/authenticator.js';
import { checkExposure } from '../auth/exposure.js';
import { checkTlsFiles } from '../auth/tls-files.js';
import { createLogger, logCrashes } from '../config/logger.js';
import { stopOnRequest, tellParent } from '../config/parent.js';
import { loadSettings } from '../config/settings.js';
import { VERSION } from '../config/version.js';
import { QuanrenError } from '../errors/quanren-error.js';
import { readKafkaSettings } from '../events/kafka/kafka-connection.js';
import { locateStores } from '../stores/store-location.js';
import { type Platform, startPlatform } from './platform.js';
import { readPostgresSettings } from './postgres-settings.js';

const log = createLogger('platform');
logCrashes(log);
const DEMO_FILE = path.resolve(import.meta.dirname, '..', '..', 'data', 'cdnow_master.txt');

function warn(text: string): void {
  log.warn(text);
  void tellParent({ progress: text });
}

async function run(): Promise<void> {
  const settings = loadSettings(process.env);
  const authenticator = createAuthenticator({
    ...toAuthOptions({
      jwks: settings['auth.jwks'],
      issuer: settings['auth.issuer'],
      audience: settings['auth.audience'],
      clockSkewSeconds: settings['auth.clockSkewSeconds'],
      keysMaxAgeSeconds: settings['auth.keysMaxAgeSeconds'],
      apiKeysFile: settings['auth.apiKeysFile'],
    }),
    onTrouble: (error) => log.error({ err: error }, error.message),
  });
  const tls = checkTlsFiles({ certFile: settings['tls.certFile'], keyFile: settings['tls.keyFile'] }) ?? null;
  const exposure = checkExposure({
    host: settings['platform.host'],
    authIsOn: authenticator.isOn,
    tlsIsOn: tls !== null,
    isUnsafeAllowed: settings['unsafe.listenWithoutAuthAndTls'],
  });
  if (exposure !== undefined) warn(`Platform: ${exposure}`);
  const keyWarning = await authenticator.open();
  if (keyWarning !== undefined) warn(keyWarning);
  const dataDir = path.resolve(settings['data.dir']);
  let platform: Platform | undefined;
  const stop = async (): Promise<void> => {
    await platform?.close();
  };
  const isWanted = stopOnRequest(stop, (error) =>
    log.fatal({ err: error }, 'The platform could not be stopped cleanly'),
  );
  if (!isWanted) return;
  platform = await startPlatform({
    dataDir,
    exportRoot: path.resolve(settings['platform.exportRoot'] || path.join(dataDir, 'exports')),
    zone: settings['time.zone'],
    connections: readPostgresSettings(settings, path.join(dataDir, 'postgres')),
    kafka: readKafkaSettings(settings),
    stores: locateStores(path.join(dataDir, 'store'), settings),
    host: settings['platform.host'],
    port: settings['platform.port'],
    tls,
    authenticator,
    isScheduleOn: settings.schedule,
    demoFile: settings.demo ? DEMO_FILE : null,
    warehouseMemoryBytes: settings['warehouse.memoryMib'] * 2 ** 20,
    warehouseThreads: settings['warehouse.threads'],
    logger: log,
    version: VERSION,
    onProgress: (text) => void tellParent({ progress: text }),
  });
  log.info(`The platform serves on ${platform.url}`);
  await tellParent({ ready: { url: platform.url } });
}

run().catch(async (error: unknown) => {
  const message =
    error instanceof QuanrenError ? error.message : 'The platform could not start; its log says why.';
  log.fatal({ err: error }, message);
  await tellParent({ failed: message });
  process.exit(1);
});
