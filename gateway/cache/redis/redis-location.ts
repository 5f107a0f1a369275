/** Which Redis gateways share, as the `redis.*` settings have it. */
import { type Address, parseAddress } from '../../../config/addresses.js';
import { readAuthorities } from '../../../config/tls-files.js';
import { QuanrenError } from '../../../errors/quanren-error.js';

export interface RedisSettings {
  /** Empty: there is none. */
  readonly 'redis.url': string;
  readonly 'redis.cluster': boolean;
  /** Empty: the nodes of the URL are no sentinels. */
  readonly 'redis.sentinelName': string;
  readonly 'redis.sentinelPassword': string;
  readonly 'redis.caFile': string;
  readonly 'redis.instance': string;
}

/** Plain data: main tells it its workers. It holds the password, and is never logged. */
export interface RedisLocation {
  readonly kind: 'server' | 'cluster' | 'sentinel';
  /** One server; some of a cluster's; or sentinels. */
  readonly nodes: readonly Address[];
  readonly username: string;
  readonly password: string;
  readonly database: number;
  /** undefined: plain text. An empty file: the authorities that Node trusts. */
  readonly tls: { readonly caFile: string } | undefined;
  readonly sentinelName: string;
  readonly sentinelPassword: string;
  /** Whose entries these are, of those that may share a Redis. */
  readonly instance: string;
}

/** Scheme, user:password, nodes, database. */
const URL_PATTERN = /^(rediss?):\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/(\d{1,5})?)?$/;
const ESCAPES = 'in its user and password write %2F for /, %40 for @, %25 for %';
const DEFAULT_PORT = 6_379;
/** It stands within braces in every key. */
const INSTANCE = /^[A-Za-z0-9_.-]{1,64}$/;

/** undefined: gateways share no cache. Throws `set_up` for settings that cannot be used; the URL is never told. */
export function locateRedis(settings: RedisSettings): RedisLocation | undefined {
  const { 'redis.url': url, 'redis.cluster': isCluster, 'redis.instance': instance } = settings;
  const { 'redis.sentinelName': sentinelName, 'redis.sentinelPassword': sentinelPassword } = settings;
  if (url === '') return undefined;
  const [, scheme, userInfo = '', nodes, database = '0'] = URL_PATTERN.exec(url) ?? [];
  if (scheme === undefined || nodes === undefined) {
    throw refusal(
      `QUANREN_REDIS_URL must be redis://user:password@host:port/database, or rediss:// for TLS; ${ESCAPES}`,
    );
  }
  if (scheme === 'redis' && settings['redis.caFile'] !== '') {
    throw refusal(
      'QUANREN_REDIS_CA_FILE does nothing while QUANREN_REDIS_URL begins with redis://: write rediss:// for TLS, or remove it',
    );
  }
  if (isCluster && sentinelName !== '') {
    throw refusal('QUANREN_REDIS_CLUSTER and QUANREN_REDIS_SENTINEL_NAME exclude each other');
  }
  if (isCluster && database !== '0')
    throw refusal('QUANREN_REDIS_URL names a database, and a cluster has only 0');
  if (!INSTANCE.test(instance)) throw refusal(`QUANREN_REDIS_INSTANCE must match ${INSTANCE.source}`);
  const [username = '', password = ''] = splitOnce(userInfo).map(decode);
  const location: RedisLocation = {
    kind: isCluster ? 'cluster' : sentinelName === '' ? 'server' : 'sentinel',
    nodes: nodes.split(',').map(readNode),
    username,
    password,
    database: Number(database),
    tls: scheme === 'rediss' ? { caFile: settings['redis.caFile'] } : undefined,
    sentinelName,
    sentinelPassword,
    instance,
  };
  if (location.kind === 'server' && location.nodes.length > 1) {
    throw refusal(
      'QUANREN_REDIS_URL names several nodes: of a cluster, or sentinels? The other settings say',
    );
  }
  readTlsOptions(location);
  return location;
}

/** What a server's certificate is checked with. Throws `set_up` for a file that does not do. */
export function readTlsOptions({ tls }: Pick<RedisLocation, 'tls'>): { ca?: Buffer } {
  if (tls === undefined || tls.caFile === '') return {};
  return { ca: readAuthorities('QUANREN_REDIS_CA_FILE', tls.caFile) };
}

function refusal(sentence: string): QuanrenError {
  return new QuanrenError('set_up', `${sentence}.`);
}

function splitOnce(userInfo: string): string[] {
  const at = userInfo.indexOf(':');
  return at < 0 ? [userInfo] : [userInfo.slice(0, at), userInfo.slice(at + 1)];
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw refusal(`QUANREN_REDIS_URL has a '%' that escapes nothing; ${ESCAPES}`);
  }
}

function readNode(text: string): Address {
  const address = parseAddress(text, DEFAULT_PORT);
  if (address === undefined) throw refusal(`QUANREN_REDIS_URL has a node that is not host:port; ${ESCAPES}`);
  return address;
}
