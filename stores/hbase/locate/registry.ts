/**
 * Where a cluster's `hbase:meta` and its active master are. Masters and, from HBase 2.5 on, region servers answer it
 * alike (`ClientMetaService`), so ZooKeeper is not needed. Any one of the nodes that are named will do.
 */
import type { Address } from '../../../config/addresses.js';
import type { ServerLinks } from '../connection/server-links.js';
import { readActiveMaster } from '../wire/messages/active-master.js';
import { readMetaRegionLocations } from '../wire/messages/region-location.js';
import type { ServerName } from '../wire/messages/server-name.js';
import type { ProtoReader } from '../wire/proto-reader.js';

export class Registry {
  readonly nodes: readonly Address[];
  readonly #links: ServerLinks;
  readonly #timeoutMs: number;
  /** The one that answered last is asked first. */
  #first = 0;
  /** No node answered when they were last asked. */
  isAway = false;

  constructor(nodes: readonly Address[], links: ServerLinks, timeoutMs: number) {
    if (nodes.length === 0) throw new RangeError('A registry needs a node to ask.');
    this.nodes = nodes;
    this.#links = links;
    this.#timeoutMs = timeoutMs;
    this.#first = Math.floor(Math.random() * nodes.length);
  }

  /** undefined: no node knows where it is just now. Rejects with the last failure if no node answers. */
  async findMeta(): Promise<ServerName | undefined> {
    const locations = await this.#ask('GetMetaRegionLocations', readMetaRegionLocations);
    return locations.find(({ region }) => region.replicaId === 0)?.server;
  }

  /** Likewise. */
  findMaster(): Promise<ServerName | undefined> {
    return this.#ask('GetActiveMaster', readActiveMaster);
  }

  async #ask<T>(method: string, read: (reader: ProtoReader) => T): Promise<T> {
    let failure: unknown;
    for (let i = 0; i < this.nodes.length; i += 1) {
      const at = (this.#first + i) % this.nodes.length;
      const node = this.nodes[at];
      if (node === undefined) continue;
      try {
        const link = this.#links.to(node, 'ClientMetaService');
        const answer = await link.call({ method, write: () => undefined, read, timeoutMs: this.#timeoutMs });
        this.#first = at;
        this.isAway = false;
        return answer;
      } catch (error) {
        failure = error;
      }
    }
    this.isAway = true;
    throw failure;
  }
}
