/** Which Postgres holds the catalog, and how it is reached: the embedded one, or the one of two URLs. */
import { isLoopback } from '../auth/exposure.js';
import {
  type CatalogConnections,
  connectionsToEmbeddedPostgres,
  type PostgresConnection,
} from '../catalog/embedded-postgres.js';
import { readAuthorities } from '../config/tls-files.js';
import { QuanrenError } from '../errors/quanren-error.js';

export interface PostgresSettings {
  /** Empty: the embedded Postgres. */
  readonly 'postgres.url': string;
  /** Empty: migrations are not run. Of the embedded Postgres they always are. */
  readonly 'postgres.ownerUrl': string;
  /** Of the embedded Postgres. */
  readonly 'postgres.port': number;
}

const DEFAULT_PORT = 5432;

/** `folder` is that of the embedded Postgres. Throws `set_up` for URLs that cannot be used; their text is never told. */
export function readPostgresSettings(settings: PostgresSettings, folder: string): CatalogConnections {
  const own = readOwnPostgres(settings);
  return own ?? connectionsToEmbeddedPostgres({ folder, port: settings['postgres.port'] });
}

/** null where the embedded Postgres is to be used. */
export function readOwnPostgres(
  settings: Omit<PostgresSettings, 'postgres.port'>,
): CatalogConnections | null {
  const { 'postgres.url': url, 'postgres.ownerUrl': ownerUrl } = settings;
  if (url !== '') {
    const owner = ownerUrl === '' ? null : parsePostgresUrl(ownerUrl, 'QUANREN_POSTGRES_OWNER_URL');
    return { app: parsePostgresUrl(url, 'QUANREN_POSTGRES_URL'), owner };
  }
  if (ownerUrl === '') return null;
  throw new QuanrenError(
    'set_up',
    'QUANREN_POSTGRES_OWNER_URL is set without QUANREN_POSTGRES_URL, the way in of the role that the platform works as.',
  );
}

/**
 * `postgres://user:password@host:5432/database`. Beyond loopback the server must show a certificate that is valid for
 * its name; `sslrootcert` names the authority's PEM file, `sslmode=disable` goes without TLS.
 */
function parsePostgresUrl(text: string, setting: string): PostgresConnection {
  const refuse = (why: string): never => {
    throw new QuanrenError('set_up', `${setting} ${why}.`);
  };
  const url = URL.canParse(text)
    ? new URL(text)
    : refuse('is not a URL: postgres://user:password@host/database');
  if (!['postgres:', 'postgresql:'].includes(url.protocol)) refuse('must begin with postgres://');
  const decode = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      return refuse("has a '%' that escapes nothing: write %25");
    }
  };
  const database = decode(url.pathname.slice(1));
  if (url.hostname === '' || url.username === '' || database === '')
    refuse('must name a user, a host and a database');
  for (const name of url.searchParams.keys()) {
    if (name !== 'sslmode' && name !== 'sslrootcert')
      refuse(`may have sslmode and sslrootcert behind '?', not ${name}`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const mode = url.searchParams.get('sslmode') ?? (isLoopback(host) ? 'disable' : 'verify-full');
  if (mode !== 'disable' && mode !== 'verify-full') refuse('takes verify-full or disable as sslmode');
  const authority = url.searchParams.get('sslrootcert');
  const readAuthority = (file: string) => readAuthorities(`${setting} (sslrootcert)`, file).toString();
  return {
    host,
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    user: decode(url.username),
    password: decode(url.password),
    database,
    ...(mode === 'disable' ? {} : { ssl: authority === null ? true : { ca: readAuthority(authority) } }),
  };
}
