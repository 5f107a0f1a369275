/** The links of a client: one per server and service. */
import type { Address } from '../../../config/addresses.js';
import type { ConnectionOptions } from './rpc-connection.js';
import { ServerLink } from './server-link.js';
import type { Service } from './services.js';

export class ServerLinks {
  readonly #options: ConnectionOptions;
  readonly #links = new Map<string, ServerLink>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  to(address: Address, service: Service): ServerLink {
    const key = `${address.host}:${address.port}/${service}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new ServerLink(address, service, this.#options);
      this.#links.set(key, link);
    }
    return link;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
  }
}
