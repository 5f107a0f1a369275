/** Opens both stores where they are: all that the rest of the product knows of LMDB and HBase. */
import { openEmbeddedMembershipStore } from './embedded/embedded-membership-store.js';
import { openEmbeddedRealtimeTagStore } from './embedded/embedded-realtime-tag-store.js';
import { HBaseClient } from './hbase/client/hbase-client.js';
import { simpleAuthentication } from './hbase/connection/authentication.js';
import { openHBaseMembershipStore } from './hbase/hbase-membership-store.js';
import { openHBaseRealtimeTagStore } from './hbase/hbase-realtime-tag-store.js';
import type {
  ImmediateMembershipSource,
  MembershipStore,
  PartialMembershipSource,
} from './membership-store.js';
import type { RealtimeTagStore } from './realtime-tag-store.js';
import { readTlsOptions, type StoreLocation } from './store-location.js';
import type { StoreServer } from './store-server.js';

export interface Stores {
  /** With `getNow` where a read need not wait, with `getEach` where parts of the store may be away. */
  readonly memberships: MembershipStore & Partial<ImmediateMembershipSource & PartialMembershipSource>;
  readonly tags: RealtimeTagStore;
  /** Makes the tables that are missing, as writing does; who only reads needs no right to. Harmless when repeated. */
  prepare(): Promise<void>;
  /** The servers that were lately asked; none where the store is embedded. */
  servers(): readonly StoreServer[];
  close(): Promise<void>;
}

export interface StoresOptions {
  /** Called for rows that are asked for or written again, with one of `RETRY_CAUSES`. */
  readonly onRetry?: (cause: string, rows: number) => void;
}

/** Connects to nothing yet. Throws `set_up`. */
export function openStores(location: StoreLocation, options: StoresOptions = {}): Stores {
  return location.kind === 'embedded'
    ? openEmbeddedStores(location.folder)
    : openHBaseStores(location, options);
}

function openEmbeddedStores(folder: string): Stores {
  const memberships = openEmbeddedMembershipStore(folder);
  const tags = openEmbeddedRealtimeTagStore(folder);
  return {
    memberships,
    tags,
    prepare: () => Promise.resolve(),
    servers: () => [],
    close: async () => {
      await Promise.all([memberships.close(), tags.close()]);
    },
  };
}

function openHBaseStores(
  { nodes, user, tls }: Extract<StoreLocation, { kind: 'hbase' }>,
  options: StoresOptions,
): Stores {
  const client = new HBaseClient({
    ...options,
    nodes,
    authentication: simpleAuthentication(user),
    ...(tls === undefined ? {} : { tls: readTlsOptions(tls) }),
  });
  const memberships = openHBaseMembershipStore({ client });
  const tags = openHBaseRealtimeTagStore({ client });
  return {
    memberships,
    tags,
    prepare: async () => {
      await Promise.all([memberships.prepare(), tags.prepare()]);
    },
    servers: () => client.servers(),
    close: async () => {
      await Promise.all([memberships.close(), tags.close()]);
      client.close();
    },
  };
}
