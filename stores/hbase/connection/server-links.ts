/** The links of a client: one per server and service, as long as somebody asks for it. */
import type { Address } from '../../../config/addresses.js';
import type { ConnectionOptions } from './rpc-connection.js';
import { ServerLink } from './server-link.js';
import type { Service } from './services.js';

/** Region servers may come back on other ports: a link that is not used is let go when another is made. */
const FORGET_AFTER_MS = 600_000;

export class ServerLinks {
  readonly #options: ConnectionOptions;
  readonly #forgetAfterMs: number;
  readonly #links = new Map<string, ServerLink>();

  constructor(options: ConnectionOptions, forgetAfterMs: number = FORGET_AFTER_MS) {
    this.#options = options;
    this.#forgetAfterMs = forgetAfterMs;
  }

  /** Not to be kept between uses. */
  to(address: Address, service: Service): ServerLink {
    const key = `${address.host}:${address.port}/${service}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      this.#forgetIdle();
      link = new ServerLink(address, service, this.#options);
      this.#links.set(key, link);
    }
    return link;
  }

  #forgetIdle(): void {
    const beforeMs = performance.now() - this.#forgetAfterMs;
    for (const [key, link] of this.#links) {
      if (!link.isIdleSince(beforeMs)) continue;
      link.disconnect();
      this.#links.delete(key);
    }
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
  }
}
