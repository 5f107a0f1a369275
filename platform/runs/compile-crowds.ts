/** The rules of runs as SQL conditions over the wide table. */
import type { Catalog } from '../../catalog/catalog.js';
import type { CrowdRun } from '../../catalog/types.js';
import { type Diagnostic, formatDiagnostic, RuleChecker } from '../../rules/index.js';
import { printProfileCondition } from '../warehouse/profile-condition.js';
import type { ProfileColumns } from '../warehouse/tag-columns.js';
import type { CrowdCondition } from './membership-file.js';

export interface CompiledBatch {
  readonly compiled: readonly CrowdCondition[];
  /** Runs that cannot be computed, with a sentence that says why. */
  readonly refused: readonly { readonly run: CrowdRun; readonly reason: string }[];
}

function explain(diagnostics: readonly Diagnostic[]): string {
  return `The rule has errors: ${diagnostics.map(formatDiagnostic).join('; ')}`;
}

/**
 * Each run's own rule version; crowds that it refers to by their current rules. All runs have one dt, whose partition
 * has these columns.
 */
export async function compileCrowds(
  catalog: Pick<Catalog, 'crowds' | 'ruleEnvironment' | 'zone'>,
  runs: readonly CrowdRun[],
  dt: string,
  columns: ProfileColumns,
): Promise<CompiledBatch> {
  const checker = new RuleChecker(await catalog.ruleEnvironment());
  const compiled: CrowdCondition[] = [];
  const refused: CompiledBatch['refused'][number][] = [];
  for (const run of runs) {
    const { crowdCode, ruleVersion } = run;
    const { status } = await catalog.crowds.get(crowdCode);
    const { ruleJson } = await catalog.crowds.version(crowdCode, ruleVersion);
    const checked = checker.checkRule(ruleJson);
    if (status === 'paused') refused.push({ run, reason: 'The crowd was paused before the run began.' });
    else if (!checked.ok) refused.push({ run, reason: explain(checked.diagnostics) });
    else {
      const printed = printProfileCondition(checked.value, columns, { zone: catalog.zone, dt });
      if (printed.ok) compiled.push({ crowdCode, condition: printed.condition });
      else refused.push({ run, reason: printed.reason });
    }
  }
  return { compiled, refused };
}
