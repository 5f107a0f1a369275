/** A migrated catalog in a database of its own, and the definitions that tests begin from. */
import { type Catalog, openCatalog } from '../../catalog/catalog.js';
import type { PostgresConnection } from '../../catalog/embedded-postgres.js';
import { migrate } from '../../catalog/migrate.js';
import type { CrowdDefinition, TagDefinition } from '../../catalog/types.js';
import type { TestPostgres } from './postgres.js';

export const TEST_ZONE = 'Asia/Shanghai';

export interface TestCatalog {
  readonly catalog: Catalog;
  readonly connection: PostgresConnection;
}

export async function createTestCatalog(server: TestPostgres): Promise<TestCatalog> {
  const connection = await server.createDatabase();
  await migrate(connection, TEST_ZONE);
  return { catalog: openCatalog({ connection, zone: TEST_ZONE }), connection };
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
