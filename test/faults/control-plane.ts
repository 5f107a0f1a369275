/**
 * What the platform is to the gateway: a catalog in Postgres whose changes an outbox relay brings to the bus, and
 * heartbeats.
 */
import { type Catalog, openCatalog } from '../../catalog/catalog.js';
import { connectionsToEmbeddedPostgres } from '../../catalog/embedded-postgres.js';
import { prepareSchema } from '../../catalog/migrate.js';
import { type OutboxRelay, startOutboxRelay } from '../../catalog/outbox-relay.js';
import type { Engine } from '../../engines/engine.js';
import type { EventBus } from '../../events/event-bus.js';
import { startHeartbeat } from '../../events/heartbeat.js';
import type { TopicName } from '../../events/topics.js';
import { crowdDefinition, OVER_18, TEST_ZONE, tagDefinition } from '../support/catalog.js';

const PRINCIPAL = 'ann';
const HEARTBEAT_EVERY_MS = 200;

export class ControlPlane {
  readonly catalog: Catalog;
  readonly #relay: OutboxRelay;
  readonly #stopBeats: () => Promise<void>;

  /** `mayBeat`: nothing that the store may have is missing on the bus. */
  static async start(postgres: Engine, bus: EventBus, mayBeat: () => boolean): Promise<ControlPlane> {
    const { folder, ports } = postgres;
    const connections = connectionsToEmbeddedPostgres({ folder, port: ports.postgres ?? 0 });
    await prepareSchema(connections, TEST_ZONE);
    const connection = connections.app;
    const catalog = openCatalog({ connection, zone: TEST_ZONE, onIdleError: () => undefined });
    const relay = startOutboxRelay({
      connection,
      zone: TEST_ZONE,
      claim: async () => {
        const publish = await bus.claim('outbox');
        return (topic, messages) => publish(topic as TopicName, messages);
      },
      onError: () => undefined,
    });
    await catalog.tags.save(tagDefinition('age'), { principal: PRINCIPAL, expected: 'absent' });
    return new ControlPlane(catalog, relay, bus, mayBeat);
  }

  private constructor(catalog: Catalog, relay: OutboxRelay, bus: EventBus, mayBeat: () => boolean) {
    this.catalog = catalog;
    this.#relay = relay;
    this.#stopBeats = startHeartbeat(bus, {
      everyMs: HEARTBEAT_EVERY_MS,
      mayBeat,
      onError: () => undefined,
    });
  }

  async addCrowd(crowdCode: string): Promise<void> {
    const change = { principal: PRINCIPAL, expected: 'absent' } as const;
    await this.catalog.crowds.save(crowdCode, crowdDefinition(OVER_18), change);
  }

  async setStatus(crowdCode: string, status: 'active' | 'paused'): Promise<void> {
    await this.catalog.crowds.setStatus(crowdCode, status, PRINCIPAL);
  }

  async stop(): Promise<void> {
    await this.#stopBeats();
    await this.#relay.close();
    await this.catalog.close();
  }
}
