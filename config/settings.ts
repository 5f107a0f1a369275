/**
 * The one table of settings: name, default, check, meaning. A setting is given as an environment variable
 * (`gateway.port` is QUANREN_GATEWAY_PORT) or in a JSON file named by QUANREN_CONFIG (`{"gateway.port": 8090}`);
 * the environment wins. Only main.ts files and cli/ read it: everything else receives its options.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import path from 'node:path';
import { QuanrenError } from '../errors/quanren-error.js';

interface Setting<T> {
  readonly default: T;
  readonly about: string;
  /** The value of a text, or undefined where the text is not one. */
  readonly parse: (text: string) => T | undefined;
  /** What `parse` takes, for the error message. */
  readonly takes: string;
  /** Never printed. */
  readonly secret?: true;
}

const text = (about: string, value: string): Setting<string> => ({
  default: value,
  about,
  parse: (given) => given,
  takes: 'text',
});

const integer = (about: string, value: number, min: number, max: number): Setting<number> => ({
  default: value,
  about,
  parse: (given) => {
    const number = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  },
  takes: `a whole number from ${min} to ${max}`,
});

const port = (about: string, value: number): Setting<number> => integer(about, value, 1, 65_535);

const flag = (about: string, value: boolean): Setting<boolean> => ({
  default: value,
  about,
  parse: (given) => (given === 'true' ? true : given === 'false' ? false : undefined),
  takes: 'true or false',
});

const oneOf = <const T extends string>(
  about: string,
  [first, ...others]: readonly [T, ...T[]],
): Setting<T> => ({
  default: first,
  about,
  parse: (given) => [first, ...others].find((choice) => choice === given),
  takes: [first, ...others].join(' or '),
});

const timeZone = (about: string, value: string): Setting<string> => ({
  default: value,
  about,
  parse: (given) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: given }).resolvedOptions().timeZone;
    } catch {
      return undefined;
    }
  },
  takes: 'an IANA time zone such as Asia/Shanghai',
});

export const SETTINGS = {
  'data.dir': text('Where everything is kept: Postgres, LMDB, the warehouse.', '.quanren'),
  'time.zone': timeZone(
    'The platform’s one time zone: civil days, zone-less instants, schedules.',
    'Asia/Shanghai',
  ),
  'postgres.port': port('The port of the embedded Postgres, on loopback.', 5434),
  'postgres.url': {
    ...text('A Postgres of your own, as the role that the platform works as. Empty: the embedded one.', ''),
    secret: true,
  },
  'postgres.ownerUrl': {
    ...text(
      'The same database as the role that owns its tables: brings the schema up to date. Empty: it is only checked.',
      '',
    ),
    secret: true,
  },
  'kafka.brokers': text(
    'A Kafka of your own, as host:port, host:port …: some of its brokers. Empty: the embedded bus.',
    '',
  ),
  'kafka.prefix': text(
    'Before the names of topics, groups and transactional ids, so that two platforms can share a Kafka.',
    '',
  ),
  'kafka.tls': flag('Speaks TLS to Kafka.', false),
  'kafka.caFile': text('The authorities (PEM) that vouch for the brokers. Empty: those of Node.js.', ''),
  'kafka.user': text('The user that Kafka knows (SASL). Empty: none is shown.', ''),
  'kafka.password': { ...text('The password of kafka.user.', ''), secret: true },
  'kafka.mechanism': oneOf('How kafka.user and kafka.password are shown.', [
    'scram-sha-512',
    'scram-sha-256',
    'plain',
  ]),
  'hbase.nodes': text(
    'Masters or region servers of the HBase that holds the memberships: host:port,host:port… Empty: the embedded store.',
    '',
  ),
  'hbase.user': text('The name that HBase is told, without a proof of it.', 'quanren'),
  'hbase.tls': flag('HBase speaks TLS; its certificates must be valid for the names of its servers.', false),
  'hbase.caFile': text(
    'The authorities (PEM) that HBase’s certificates are believed from. Empty: those that Node trusts.',
    '',
  ),
  'hbase.certFile': text('The certificate (PEM) that is shown to HBase. Empty: none.', ''),
  'hbase.keyFile': text('The private key (PEM) of hbase.certFile.', ''),
  'redis.url': {
    ...text(
      'The Redis that gateways share: redis://user:password@host:port/database, rediss:// for TLS; of a cluster or of sentinels several host:port,host:port. Empty: none.',
      '',
    ),
    secret: true,
  },
  'redis.cluster': flag('The nodes of redis.url are those of a Redis Cluster.', false),
  'redis.sentinelName': text('The nodes of redis.url are sentinels, and this is the name of the master.', ''),
  'redis.sentinelPassword': { ...text('The password of the sentinels.', ''), secret: true },
  'redis.caFile': text(
    'The authorities (PEM) that the certificates of Redis are believed from. Empty: those that Node trusts.',
    '',
  ),
  'redis.instance': text('Names this platform’s entries, where several share a Redis.', 'quanren'),
  'redis.timeoutMs': integer(
    'What a request may wait for Redis; one that takes longer is left alone for a while.',
    20,
    1,
    1_000,
  ),
  demo: flag('Loads the CDNOW purchases with their tags and crowds on the first start.', true),
  schedule: flag('Runs crowds at the times of their schedule_cron.', true),
  'engines.cacheDir': text(
    'Where `quanren engines` keeps the servers that it fetches, for all names and clones.',
    path.join(homedir(), '.cache', 'quanren', 'engines'),
  ),
  'cli.token': {
    ...text('The bearer token or API key that `quanren` shows to a platform that asks for one.', ''),
    secret: true,
  },
  'warehouse.memoryMib': integer(
    'Memory that DuckDB may use before it spills to disk, in MiB.',
    4_096,
    256,
    1_048_576,
  ),
  'warehouse.threads': integer('Threads of DuckDB.', availableParallelism(), 1, 256),
  'platform.host': text('The address that the platform listens on.', '127.0.0.1'),
  'platform.port': port('The port of the platform’s API.', 8081),
  'platform.exportRoot': text(
    'Where exports of crowds go; with authentication on they may not leave it. Empty: the folder exports in data.dir.',
    '',
  ),
  'gateway.host': text('The address that the match gateway listens on.', '127.0.0.1'),
  'gateway.port': port('The port of the match gateway.', 8080),
  'gateway.metricsPort': port('The port of the gateway’s /metrics, on loopback.', 9464),
  'gateway.workers': integer(
    'Worker processes of the gateway, which share its port.',
    Math.max(1, availableParallelism() - 1),
    1,
    256,
  ),
  'gateway.workerUsersPerSecond': integer(
    'Users that each worker answers for in a second at most; what is beyond is refused at once (503). 0: as many as it can.',
    0,
    0,
    100_000_000,
  ),
  'gateway.staleAfterMs': integer(
    'Without a sign of life from the stream for this long, answers are said to be stale.',
    5_000,
    100,
    3_600_000,
  ),
  'gateway.transport': oneOf(
    'The HTTP server: uWebSockets.js where a build fits this machine (auto), or Node’s own (node-http), which is slower.',
    ['auto', 'node-http'],
  ),
  'gateway.workerHeapMib': integer(
    'Memory of JavaScript objects that a worker may use; one that needs more is replaced.',
    512,
    64,
    16_384,
  ),
  'gateway.cacheEntries': integer(
    'Users that each worker remembers; 68 bytes of memory each. And as many with uids of 47 to 110 bytes, 136 bytes each.',
    2_000_000,
    16,
    30_000_000,
  ),
  'gateway.cacheTtlMs': integer(
    'A user is read anew from the store at the latest after this long, changed or not.',
    300_000,
    1,
    43_200_000,
  ),
  'gateway.snapshotMinutes': integer(
    'Each worker saves the users most asked for so often, and when it ends, to know them at the next start. 0: never.',
    0,
    0,
    1_440,
  ),
  'gateway.storeDeadlineMs': integer('A read of the store that takes longer is given up.', 1_000, 1, 60_000),
  'gateway.drainMs': integer(
    'What is in flight when the gateway stops has this long to end.',
    10_000,
    0,
    600_000,
  ),
  'auth.jwks': text(
    'The key set that signs tokens: a file or an https URL. Empty: no JWT is accepted. With it, issuer and audience.',
    '',
  ),
  'auth.issuer': text('The `iss` that tokens must carry.', ''),
  'auth.audience': text('The `aud` that tokens must carry.', 'quanren'),
  'auth.clockSkewSeconds': integer(
    'How far the clocks of the issuer and this server may differ.',
    30,
    0,
    300,
  ),
  'auth.keysMaxAgeSeconds': integer(
    'For how long a key that was withdrawn from auth.jwks may still be believed.',
    600,
    1,
    86_400,
  ),
  'auth.apiKeysFile': text('A JSON file of hashed API keys. Empty: no API key is accepted.', ''),
  'tls.certFile': text('The certificate chain (PEM). Empty: TLS is off.', ''),
  'tls.keyFile': text('The private key (PEM) of tls.certFile.', ''),
  'unsafe.listenWithoutAuthAndTls': flag(
    'Allows addresses other than loopback although auth or TLS is off: anyone who reaches the port may ask.',
    false,
  ),
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;
export type Settings = { readonly [N in SettingName]: (typeof SETTINGS)[N]['default'] };

/**
 * What says more about another setting, and does nothing while that one is as it is by default: to give it alone is a
 * mistake, told at the start.
 */
const NEEDS: Partial<Record<SettingName, SettingName>> = {
  'kafka.prefix': 'kafka.brokers',
  'kafka.tls': 'kafka.brokers',
  'kafka.caFile': 'kafka.tls',
  'kafka.user': 'kafka.brokers',
  'kafka.password': 'kafka.user',
  'kafka.mechanism': 'kafka.user',
  'hbase.user': 'hbase.nodes',
  'hbase.tls': 'hbase.nodes',
  'hbase.caFile': 'hbase.tls',
  'hbase.certFile': 'hbase.tls',
  'hbase.keyFile': 'hbase.certFile',
  'redis.cluster': 'redis.url',
  'redis.sentinelName': 'redis.url',
  'redis.sentinelPassword': 'redis.sentinelName',
  'redis.caFile': 'redis.url',
  'redis.instance': 'redis.url',
  'redis.timeoutMs': 'redis.url',
  'auth.issuer': 'auth.jwks',
  'auth.audience': 'auth.jwks',
  'auth.clockSkewSeconds': 'auth.jwks',
  'auth.keysMaxAgeSeconds': 'auth.jwks',
};

/** The environment variable of a setting: `gateway.metricsPort` → `QUANREN_GATEWAY_METRICS_PORT`. */
export function environmentName(name: SettingName): string {
  return `QUANREN_${name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

function readConfigFile(file: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new QuanrenError('set_up', `QUANREN_CONFIG names ${file}, which cannot be read as JSON.`, {
      cause,
    });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new QuanrenError('set_up', `${file} must hold one JSON object, from setting to value.`);
  }
  return { ...parsed };
}

/** Every setting, from the environment, the config file, or its default. Throws `set_up` naming all that is wrong. */
export function loadSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const file = environment.QUANREN_CONFIG;
  const fromFile = file === undefined ? {} : readConfigFile(file);
  const wrong: string[] = [];
  for (const name of Object.keys(fromFile)) {
    if (!Object.hasOwn(SETTINGS, name)) wrong.push(`${file}: there is no setting '${name}'`);
  }
  const known = new Set([...(Object.keys(SETTINGS) as SettingName[]).map(environmentName), 'QUANREN_CONFIG']);
  for (const variable of Object.keys(environment)) {
    if (variable.startsWith('QUANREN_') && !known.has(variable))
      wrong.push(`there is no setting ${variable}`);
  }
  const placeOf = (name: SettingName): string =>
    environment[environmentName(name)] === undefined && name in fromFile
      ? `'${name}' in ${file}`
      : environmentName(name);
  const entries = Object.entries<Setting<unknown>>(SETTINGS).map(([key, setting]) => {
    const name = key as SettingName;
    const given =
      environment[environmentName(name)] ?? (name in fromFile ? String(fromFile[name]) : undefined);
    if (given === undefined) return [name, setting.default];
    const value = setting.parse(given);
    if (value === undefined) {
      wrong.push(`${placeOf(name)} must be ${setting.takes}${setting.secret ? '' : `, not '${given}'`}`);
    }
    return [name, value];
  });
  const settings = Object.fromEntries(entries) as Settings;
  const isDefault = (name: SettingName): boolean => settings[name] === SETTINGS[name].default;
  for (const [key, needed] of Object.entries(NEEDS)) {
    const name = key as SettingName;
    if (isDefault(name) || !isDefault(needed)) continue;
    wrong.push(
      `${placeOf(name)} does nothing without ${environmentName(needed)}: set that too, or remove this`,
    );
  }
  if (wrong.length > 0) throw new QuanrenError('set_up', `The settings have errors: ${wrong.join('; ')}.`);
  return settings;
}
