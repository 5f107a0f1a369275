/** The catalog as one thing: what Postgres knows, by repository. */
import { type CheckedRule, RuleChecker, type RuleEnvironment } from '../rules/index.js';
import { type ActivityRepository, createActivityRepository } from './activities.js';
import { type AuditRepository, createAuditRepository } from './audit.js';
import { type CrowdRepository, createCrowdRepository } from './crowds.js';
import { type DatabaseOptions, openDatabase } from './database.js';
import { createLoadRepository, type LoadRepository } from './loads.js';
import { createQualityReportRepository, type QualityReportRepository } from './quality-reports.js';
import { loadRuleEnvironment, requireValid } from './rule-check.js';
import { createRunRepository, type RunRepository } from './runs.js';
import { createTagRepository, type TagRepository } from './tags.js';

/** Every call throws `unavailable` where the database does not answer in time. */
export interface Catalog {
  readonly tags: TagRepository;
  readonly crowds: CrowdRepository;
  readonly runs: RunRepository;
  readonly activities: ActivityRepository;
  readonly qualityReports: QualityReportRepository;
  readonly loads: LoadRepository;
  readonly audit: AuditRepository;
  /** The platform's time zone, an IANA name. */
  readonly zone: string;
  /** Every tag and every crowd's current rule, for `RuleChecker`. */
  ruleEnvironment(): Promise<RuleEnvironment>;
  /** Checks a rule that is no crowd's. Throws `invalid_rule` with all diagnostics. */
  checkRule(ruleJson: string): Promise<CheckedRule>;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** `migrate` must have run. Connections are made when they are needed. */
export function openCatalog(options: DatabaseOptions): Catalog {
  const database = openDatabase(options);
  const { zone } = options;
  const ruleEnvironment = () => loadRuleEnvironment(database, zone);
  return {
    tags: createTagRepository(database, zone),
    crowds: createCrowdRepository(database, zone),
    runs: createRunRepository(database),
    activities: createActivityRepository(database),
    qualityReports: createQualityReportRepository(database),
    loads: createLoadRepository(database),
    audit: createAuditRepository(database),
    zone,
    ruleEnvironment,
    async checkRule(ruleJson) {
      return requireValid(new RuleChecker(await ruleEnvironment()).checkRule(ruleJson));
    },
    async ping() {
      await database.query('SELECT 1');
    },
    close: () => database.close(),
  };
}
