/**
 * What the crowds of a data folder were written to: a store and a bus. Runs write only what has changed since the last one,
 * and rules are told once; so another store knows nobody, another bus no crowd, and gateways would call nobody a member, in good
 * faith. A folder whose settings name others than before is therefore not served.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { QuanrenError } from '../errors/quanren-error.js';
import type { KafkaConnection } from '../events/kafka/kafka-connection.js';
import type { StoreLocation } from '../stores/store-location.js';
import { publishFile } from './warehouse/files.js';

const FILE = 'destinations.json';

/** In words, since they are for a sentence. Not their addresses: a cluster may get others. */
interface Destinations {
  readonly store: string;
  readonly bus: string;
}

function destinationsOf(stores: StoreLocation, kafka: KafkaConnection | null): Destinations {
  return {
    store: stores.kind === 'hbase' ? 'HBase' : 'the embedded store',
    bus: kafka === null ? 'the embedded bus' : `Kafka with the prefix '${kafka.prefix}'`,
  };
}

/** Notes them at the first start. Rejects with `set_up` where they are not those that were noted. */
export async function holdDestinations(
  dataDir: string,
  stores: StoreLocation,
  kafka: KafkaConnection | null,
): Promise<void> {
  const file = path.join(dataDir, FILE);
  const wanted = destinationsOf(stores, kafka);
  const noted = await readNoted(file);
  if (noted === undefined) {
    await mkdir(dataDir, { recursive: true });
    await writeFile(`${file}.new`, `${JSON.stringify(wanted)}\n`);
    await publishFile(`${file}.new`, file);
    return;
  }
  if (noted.store === wanted.store && noted.bus === wanted.bus) return;
  throw new QuanrenError(
    'set_up',
    `The crowds of ${dataDir} were written to ${noted.store} and ${noted.bus}, and the settings name ${wanted.store} and ` +
      `${wanted.bus}, which know nothing of them: nobody would be a member. Set QUANREN_HBASE_NODES, QUANREN_KAFKA_BROKERS and ` +
      'QUANREN_KAFKA_PREFIX as they were (not at all, where they were not), or begin anew with another QUANREN_DATA_DIR.',
  );
}

async function readNoted(file: string): Promise<Destinations | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as Destinations;
  } catch (cause) {
    throw new QuanrenError('set_up', `${file} is damaged: put back the one of a backup.`, { cause });
  }
}
