/** A migrated catalog in a database of its own, and the definitions that tests begin from. */
import { type Catalog, openCatalog } from '../../catalog/catalog.js';
import type { PostgresConnection } from '../../catalog/embedded-postgres.js';
import { prepareSchema } from '../../catalog/migrate.js';
import type { CrowdDefinition, TagDefinition } from '../../catalog/types.js';
import type { TestPostgres } from './postgres.js';

export const TEST_ZONE = 'Asia/Shanghai';

export interface TestCatalog {
  readonly catalog: Catalog;
  /** As the platform's role. */
  readonly connection: PostgresConnection;
  readonly superuser: PostgresConnection;
}

/** A database with the newest schema; to it, as the platform's role. */
export async function createCatalogDatabase(server: TestPostgres): Promise<PostgresConnection> {
  const { database } = await server.createDatabase();
  const connections = server.connectionsTo(database);
  await prepareSchema(connections, TEST_ZONE);
  return connections.app;
}

export async function createTestCatalog(server: TestPostgres): Promise<TestCatalog> {
  const connection = await createCatalogDatabase(server);
  return {
    catalog: openCatalog({ connection, zone: TEST_ZONE }),
    connection,
    superuser: { ...server.connection, database: connection.database },
  };
}

export function tagDefinition(tagCode: string, more: Partial<TagDefinition> = {}): TagDefinition {
  return {
    tagCode,
    tagName: `Tag ${tagCode}`,
    tagType: 'numeric',
    bizKeyField: 'uid',
    sourceTable: 'dws.user_profile_wide',
    sourceField: tagCode,
    sourceType: 'INT',
    valueFormat: null,
    calculationType: 'offline',
    updateFreq: 'daily',
    description: null,
    owner: null,
    ...more,
  };
}

export function crowdDefinition(rule: unknown, more: Partial<CrowdDefinition> = {}): CrowdDefinition {
  return {
    crowdName: 'A crowd',
    description: null,
    owner: null,
    ruleJson: typeof rule === 'string' ? rule : JSON.stringify(rule),
    scheduleCron: null,
    ...more,
  };
}

export const OVER_18 = { tag_code: 'age', op: '>', value: 18 };
export const inCrowd = (crowdCode: string) => ({ crowd_code: crowdCode, op: 'IN CROWD' });
