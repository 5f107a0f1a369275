/** How Kafka is reached: the kafka.* settings, checked. kafkajs is not loaded for it. */
import { formatAddress, parseAddresses } from '../../config/addresses.js';
import { readAuthorities } from '../../config/tls-files.js';
import { QuanrenError } from '../../errors/quanren-error.js';

export type SaslMechanism = 'scram-sha-512' | 'scram-sha-256' | 'plain';

export interface KafkaConnection {
  /** `host:port`, some of the cluster's; the others are found through them. */
  readonly brokers: readonly string[];
  /** null: TLS is off. `ca` is PEM; without it the authorities of Node.js count. */
  readonly tls: { readonly ca?: string } | null;
  readonly sasl: {
    readonly mechanism: SaslMechanism;
    readonly username: string;
    readonly password: string;
  } | null;
  /** Before the names of topics, groups and transactional ids, so that two platforms can share a cluster. */
  readonly prefix: string;
}

export interface KafkaSettings {
  /** Empty: Kafka is not used. */
  readonly 'kafka.brokers': string;
  readonly 'kafka.prefix': string;
  readonly 'kafka.tls': boolean;
  readonly 'kafka.caFile': string;
  readonly 'kafka.user': string;
  readonly 'kafka.password': string;
  readonly 'kafka.mechanism': SaslMechanism;
}

/** null where Kafka is not used. Throws `set_up` for settings that do not go together. */
export function readKafkaSettings(settings: KafkaSettings): KafkaConnection | null {
  const refuse = (sentence: string): never => {
    throw new QuanrenError('set_up', sentence);
  };
  const { 'kafka.brokers': brokers, 'kafka.prefix': prefix, 'kafka.caFile': caFile } = settings;
  const { 'kafka.user': username, 'kafka.password': password } = settings;
  if (brokers === '') return null;
  if (!/^[\w.-]{0,100}$/.test(prefix)) {
    refuse("QUANREN_KAFKA_PREFIX may have 100 letters, digits, '.', '_' and '-', as names of topics do.");
  }
  if ((username === '') !== (password === '')) {
    refuse('QUANREN_KAFKA_USER and QUANREN_KAFKA_PASSWORD are both needed, or neither.');
  }
  const readCa = () => readAuthorities('QUANREN_KAFKA_CA_FILE', caFile).toString();
  return {
    brokers: parseAddresses('QUANREN_KAFKA_BROKERS', brokers).map(formatAddress),
    prefix,
    tls: settings['kafka.tls'] ? (caFile === '' ? {} : { ca: readCa() }) : null,
    sasl: username === '' ? null : { mechanism: settings['kafka.mechanism'], username, password },
  };
}
