/**
 * The platform as one thing: catalog, warehouse, crowd runs, schedule, outbox relay, heartbeats and the API over them.
 * It alone writes the warehouse of its data folder and the embedded store.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Authenticator } from '../auth/authenticator.js';
import { openCatalog } from '../catalog/catalog.js';
import type { CatalogConnections } from '../catalog/embedded-postgres.js';
import { prepareSchema } from '../catalog/migrate.js';
import { startOutboxRelay } from '../catalog/outbox-relay.js';
import { ErrorLog } from '../errors/error-log.js';
import { startHeartbeat } from '../events/heartbeat.js';
import type { KafkaConnection } from '../events/kafka/kafka-connection.js';
import { openEventBus } from '../events/open-event-bus.js';
import type { TopicName } from '../events/topics.js';
import { getZone } from '../rules/index.js';
import { openStores } from '../stores/open-stores.js';
import type { StoreLocation } from '../stores/store-location.js';
import { startLoadRunner } from './api/loads/load-runner.js';
import { buildPlatformApp } from './app.js';
import { loadDemo } from './demo/load-demo.js';
import { holdDestinations } from './destinations.js';
import { CrowdRuns } from './runs/crowd-runs.js';
import { startScheduler } from './schedule/scheduler.js';
import { Warehouse } from './warehouse/warehouse.js';

export interface PlatformOptions {
  /** Absolute. */
  readonly dataDir: string;
  /** Absolute: where exports go. */
  readonly exportRoot: string;
  /** An IANA name. */
  readonly zone: string;
  readonly connections: CatalogConnections;
  /** null: the embedded bus. */
  readonly kafka: KafkaConnection | null;
  readonly stores: StoreLocation;
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** null: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  readonly authenticator: Authenticator;
  readonly isScheduleOn: boolean;
  /** The purchases file to load with the demo's tags and crowds, if this data folder has not had them; null: none. */
  readonly demoFile: string | null;
  readonly warehouseMemoryBytes: number;
  readonly warehouseThreads: number;
  readonly logger: Logger;
  readonly version: string;
  readonly onProgress: (text: string) => void;
}

const PREPARE_WITHIN_MS = 5_000;

export interface Platform {
  readonly url: string;
  /** Finishes the requests in flight and the step in hand; what is unfinished goes on at the next start. */
  close(): Promise<void>;
}

/** Resolves when the API listens and the demo is there. Throws `set_up` (port, folder) or `unavailable` (Postgres). */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { dataDir, zone, connections, logger, onProgress } = options;
  const connection = connections.app;
  let isStarting = true;
  const errors = new ErrorLog({
    log: logger,
    // Who starts it sees why it takes long; later the log has it.
    onLine: (line) => isStarting && onProgress(line),
    stopwatch: () => performance.now(),
  });
  const hear = (what: string) => (error: unknown) => errors.note(what, error);
  /** Undone in reverse, also when the start fails half way. */
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) {
      await closer().catch(hear('A step of stopping'));
    }
  };
  try {
    await holdDestinations(dataDir, options.stores, options.kafka);
    const ran = await prepareSchema(connections, zone);
    if (ran.length > 0) onProgress(`Catalog: ${ran.length} migrations applied`);
    const catalog = openCatalog({ connection, zone, onIdleError: hear('An idle connection') });
    closers.push(() => catalog.close());

    const stores = openStores(options.stores);
    closers.push(() => stores.close());
    // A store that is away now is prepared by the first run that writes to it.
    const prepared = stores.prepare().catch(hear('Preparing the store'));
    const bus = await openEventBus({ kafka: options.kafka, folder: path.join(dataDir, 'bus') });
    closers.push(() => bus.close());
    const warehouse = await Warehouse.open({
      root: path.join(dataDir, 'warehouse'),
      zone,
      memoryLimitBytes: options.warehouseMemoryBytes,
      threads: options.warehouseThreads,
    });
    closers.push(async () => warehouse.close());

    const relay = startOutboxRelay({
      connection,
      zone,
      claim: async () => {
        const publish = await bus.claim('outbox');
        return (topic, messages) => publish(topic as TopicName, messages);
      },
      onError: hear('The outbox relay'),
    });
    closers.push(() => relay.close());

    const runs = new CrowdRuns({
      catalog,
      warehouse,
      store: stores.memberships,
      bus,
      now: Date.now,
      onError: hear('A crowd run'),
    });
    closers.push(() => runs.close());
    await runs.resume();
    const stopHeartbeat = startHeartbeat(bus, {
      mayBeat: () => !runs.isBehind,
      onError: hear('A heartbeat'),
    });
    closers.push(stopHeartbeat);
    const loads = await startLoadRunner({
      catalog,
      warehouse,
      spoolFolder: path.join(dataDir, 'spool'),
      onError: hear('A load'),
    });
    closers.push(() => loads.close());

    const app = await buildPlatformApp({
      services: { catalog, warehouse, runs },
      loads,
      authenticator: options.authenticator,
      tls: options.tls,
      logger,
      version: options.version,
      exportRoot: options.exportRoot,
    });
    closers.push(() => app.close());
    // Whoever starts next finds what it reads, as far as that can be waited for.
    await Promise.race([prepared, sleep(PREPARE_WITHIN_MS, undefined, { ref: false })]);
    const url = await app.listen({ host: options.host, port: options.port });

    if (options.demoFile !== null) {
      await loadDemo({ catalog, loads, runs, file: options.demoFile, dataDir, onProgress });
    }
    if (options.isScheduleOn) {
      closers.push(
        startScheduler({
          zone: getZone(zone),
          listCrowds: () => catalog.crowds.schedules(),
          newestDt: () => warehouse.newestDt(),
          startRun: async (crowdCodes, dt) => {
            await runs.start({ crowdCodes, dt, cause: 'schedule', requestedBy: 'schedule' });
          },
          onError: hear('The schedule'),
        }),
      );
    }
    isStarting = false;
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}
