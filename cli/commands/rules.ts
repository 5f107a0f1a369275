/** `quanren rules`: checks, evaluates, compiles and explains rules. Reads files only; no server needs to run. */
import { type Command, Option } from 'commander';
import { QuanrenError } from '../../errors/quanren-error.js';
import {
  type CheckedRule,
  CompiledRules,
  type DecodedRow,
  type EvaluationContext,
  explainRule,
  formatExplanation,
  type ResolvedRule,
  RuleChecker,
  resolveRule,
  truthName,
} from '../../rules/index.js';
import { compileToSql, type DialectName, duckdb, postgres } from '../../rules/sql/index.js';
import {
  formatLocated,
  type LocatedDiagnostic,
  type LocatedText,
  locate,
  readContext,
  readCrowds,
  readOneRow,
  readRows,
  readRules,
  readTags,
  sizeOfFile,
} from '../rule-inputs.js';
import { LineWriter } from '../text-output.js';

/** Rows up to this size are kept in memory while many rules go over them; a larger file is read again for each. */
const MAX_KEPT_ROWS_BYTES = 64 * 1024 * 1024;

const DIALECTS = { duckdb, postgres };

interface RuleOptions {
  readonly tags: string;
  readonly crowds?: string;
  readonly tz: string;
  readonly json?: true;
}

interface AnchoredOptions extends RuleOptions {
  readonly dt?: string;
  readonly at?: string;
}

/** A rule of the file that was given, by its 1-based number. */
type LoadedRule =
  | {
      readonly number: number;
      readonly ok: true;
      readonly checked: CheckedRule;
      readonly resolved: ResolvedRule | null;
    }
  | { readonly number: number; readonly ok: false; readonly diagnostics: readonly LocatedDiagnostic[] };

type GoodRule = Extract<LoadedRule, { ok: true }> & { readonly resolved: ResolvedRule };

const INPUTS = `
RULE   a file with one rule in JSON, or with many, one a line; - is standard input
TAGS   a file with a JSON array of tag_metadata rows (tag_code, tag_type, source_field, value_format, source_type);
       docs/rules.md has their values, and the whole language
CROWDS a file with a JSON object from crowd code to rule`;
const FAULTS = `
A rule's errors go to standard error: file:line pointer code message — hint.`;

export function addRulesCommand(program: Command): void {
  const rules = program
    .command('rules')
    .description('Checks, evaluates, compiles and explains rules. Reads files only.')
    .addHelpText('after', '\nExample:\n  quanren rules check rule.json --tags tags.json');
  addCheck(rules);
  addEval(rules);
  addSql(rules);
  addExplain(rules);
}

function addRuleCommand(rules: Command, name: string, description: string): Command {
  return rules
    .command(name)
    .description(description)
    .argument('<RULE>', 'file of rules, or - for standard input')
    .requiredOption('--tags <TAGS>', 'file of the tags that rules may use')
    .option('--crowds <CROWDS>', 'file of the crowds that rules may refer to')
    .option('--tz <ZONE>', "the platform's time zone, an IANA name", 'Asia/Shanghai')
    .option('--json', 'one JSON object a line');
}

function addAnchor(command: Command): Command {
  return command
    .option('--dt <DAY>', 'relative values count from the end of this business date, as 2026-11-23')
    .option('--at <MOMENT>', 'relative values count from this moment, as 2026-11-23T10:00:00+08:00');
}

function addCheck(rules: Command): void {
  addAnchor(addRuleCommand(rules, 'check', 'Says everything that is wrong with rules.'))
    .addHelpText(
      'after',
      `${INPUTS}

Prints "ok" or "error", after the rule's number and a tab where there are many; with --json
{"rule":1,"ok":false,"diagnostics":[{"code","severity","pointer","message","hint","file","line"}]}.
With --dt or --at, relative values are checked under that anchor too.
${FAULTS}

Example:
  quanren rules check rule.json --tags tags.json`,
    )
    .action(async (ruleFile: string, options: AnchoredOptions) => {
      refuseSharedInput(ruleFile, options.tags, options.crowds);
      const output = new LineWriter();
      const context = readContext(options);
      const loaded = await loadRules(
        ruleFile,
        options,
        context.zone,
        context.anchor === null ? null : context,
      );
      for (const rule of loaded) {
        if (options.json) {
          const diagnostics = rule.ok ? [] : rule.diagnostics;
          await output.write(JSON.stringify({ rule: rule.number, ok: rule.ok, diagnostics }));
        } else {
          if (!rule.ok) printDiagnostics(rule.diagnostics);
          await output.write(numbered(rule, loaded, rule.ok ? 'ok' : 'error'));
        }
        if (!rule.ok) process.exitCode = 1;
      }
      await output.flush();
    });
}

function addEval(rules: Command): void {
  addAnchor(addRuleCommand(rules, 'eval', 'Says for each row whether the rule is true, false or unknown.'))
    .requiredOption('--rows <ROWS>', 'file of rows, one {"uid":…,"tags":{…}} a line, or - for standard input')
    .addHelpText(
      'after',
      `${INPUTS}
ROWS   a file with one row a line, of any length: {"uid": "u1", "tags": {"age": 20, "city": null}}
       (for many rules up to 64 MiB where it is standard input, which cannot be read again)

Prints "uid<TAB>true", "uid<TAB>false" or "uid<TAB>unknown" for each row, in order; where there are many rules, all rows
for the first, then all for the second and so on, each line beginning with the rule's number and a tab; with --json
{"rule":1,"uid":"u1","truth":true}, where null is unknown. Where uids may hold tabs or line ends, use --json.
${FAULTS}

Example:
  quanren rules eval rule.json --tags tags.json --rows rows.ndjson --dt 2026-11-23`,
    )
    .action(async (ruleFile: string, options: AnchoredOptions & { rows: string }) => {
      refuseSharedInput(ruleFile, options.tags, options.crowds, options.rows);
      const context = readContext(options);
      const loaded = await loadRules(ruleFile, options, context.zone, context);
      const output = new LineWriter();
      const good = await reportErrors(loaded, options, output);
      const compiled = new CompiledRules(good.map(({ resolved }) => resolved));
      const rows = await openRows(options.rows, compiled, good.length);
      try {
        for (const [index, rule] of good.entries()) {
          for await (const { uid, row } of rows()) {
            const truth = compiled.evaluate(index, row);
            await output.write(
              options.json
                ? JSON.stringify({ rule: rule.number, uid, truth })
                : numbered(rule, loaded, `${uid}\t${truthName(truth)}`),
            );
            if (output.isClosed) return;
          }
        }
      } finally {
        // Also what comes before a row that is wrong.
        await output.flush();
      }
    });
}

function addSql(rules: Command): void {
  addAnchor(
    addRuleCommand(rules, 'sql', 'Prints rules as SQL: the expression of a WHERE clause, and no more.'),
  )
    .addOption(
      new Option('--dialect <DIALECT>', 'the engine that is to read it')
        .choices(Object.keys(DIALECTS))
        .makeOptionMandatory(),
    )
    .addHelpText(
      'after',
      `${INPUTS}

Columns are named by the tags' source fields. Where there are many rules, each is on one line that begins with its
number and a tab; with --json {"rule":1,"sql":"…"}, also where texts in rules hold line ends.
${FAULTS}

Example:
  quanren rules sql rule.json --tags tags.json --dialect duckdb --dt 2026-11-23`,
    )
    .action(async (ruleFile: string, options: AnchoredOptions & { dialect: DialectName }) => {
      refuseSharedInput(ruleFile, options.tags, options.crowds);
      const context = readContext(options);
      const loaded = await loadRules(ruleFile, options, context.zone, context);
      const output = new LineWriter();
      const layout = loaded.length === 1 ? 'indented' : 'one line';
      for (const rule of await reportErrors(loaded, options, output)) {
        const sql = compileToSql(rule.checked, context, DIALECTS[options.dialect], layout);
        // What it could fail of has been reported: the rule was resolved in this context.
        if (!sql.ok) throw new Error(sql.diagnostics.map(({ message }) => message).join(' '));
        await output.write(
          options.json
            ? JSON.stringify({ rule: rule.number, sql: sql.value })
            : numbered(rule, loaded, sql.value),
        );
      }
      await output.flush();
    });
}

function addExplain(rules: Command): void {
  addAnchor(addRuleCommand(rules, 'explain', 'Says why the rule is true, false or unknown for a row.'))
    .requiredOption('--row <ROW>', 'a row as JSON, or the name of a file that holds one')
    .addHelpText(
      'after',
      `${INPUTS}
ROW    {"uid": "u1", "tags": {"age": 20, "city": null}}

Prints the rule as a tree, for each condition its truth, the value seen and the column it came from; * marks what the
outcome rests on. With --json {"rule":1,"uid":"u1","truth":true,"explanation":{…}}.
${FAULTS}

Example:
  quanren rules explain rule.json --tags tags.json --row '{"uid":"u1","tags":{"age":20}}'`,
    )
    .action(async (ruleFile: string, options: AnchoredOptions & { row: string }) => {
      refuseSharedInput(ruleFile, options.tags, options.crowds, options.row);
      const context = readContext(options);
      const { uid, row } = await readOneRow(options.row);
      const loaded = await loadRules(ruleFile, options, context.zone, context);
      const output = new LineWriter();
      for (const rule of await reportErrors(loaded, options, output)) {
        const explanation = explainRule(rule.checked, row, context);
        const { truth } = explanation;
        await output.write(
          options.json
            ? JSON.stringify({ rule: rule.number, uid, truth, explanation })
            : `${numbered(rule, loaded, `${uid}\t${truthName(truth)}`)}\n${formatExplanation(explanation)}`,
        );
      }
      await output.flush();
    });
}

/** Reads, checks and, where there is a context, resolves the rules of a file. */
async function loadRules(
  ruleFile: string,
  options: RuleOptions,
  zone: string,
  context: EvaluationContext | null,
): Promise<readonly LoadedRule[]> {
  const tags = await readTags(options.tags);
  const crowds = await readCrowds(options.crowds);
  const crowdTexts = new Map([...crowds].map(([code, { text }]) => [code, text]));
  const checker = new RuleChecker({ tags, crowds: crowdTexts, zone });
  const texts = await readRules(ruleFile);
  return texts.map((text, index) => loadRule(text, index + 1, checker, crowds, context));
}

function loadRule(
  text: LocatedText,
  number: number,
  checker: RuleChecker,
  crowds: ReadonlyMap<string, LocatedText>,
  context: EvaluationContext | null,
): LoadedRule {
  const checked = checker.checkRule(text.text);
  if (!checked.ok) return { number, ok: false, diagnostics: locate(text, checked.diagnostics, crowds) };
  if (context === null) return { number, ok: true, checked: checked.value, resolved: null };
  const resolved = resolveRule(checked.value, context);
  return resolved.ok
    ? { number, ok: true, checked: checked.value, resolved: resolved.value }
    : { number, ok: false, diagnostics: locate(text, resolved.diagnostics, crowds) };
}

/** Prints what is wrong, and gives the rules with which all is well. */
async function reportErrors(
  loaded: readonly LoadedRule[],
  { json }: RuleOptions,
  output: LineWriter,
): Promise<readonly GoodRule[]> {
  const good: GoodRule[] = [];
  for (const rule of loaded) {
    if (rule.ok) {
      if (rule.resolved !== null) good.push({ ...rule, resolved: rule.resolved });
      continue;
    }
    process.exitCode = 1;
    const { number, diagnostics } = rule;
    if (json) await output.write(JSON.stringify({ rule: number, ok: false, diagnostics }));
    else printDiagnostics(diagnostics);
  }
  return good;
}

function printDiagnostics(diagnostics: readonly LocatedDiagnostic[]): void {
  for (const diagnostic of diagnostics) console.error(formatLocated(diagnostic));
}

/** The line itself for one rule; of many, with the rule's number before it. */
function numbered({ number }: LoadedRule, loaded: readonly LoadedRule[], line: string): string {
  return loaded.length === 1 ? line : `${number}\t${line}`;
}

interface ReadyRow {
  readonly uid: string;
  readonly row: DecodedRow;
}

/** Rows that can be gone over once for each rule. */
async function openRows(
  source: string,
  compiled: CompiledRules,
  times: number,
): Promise<() => Iterable<ReadyRow> | AsyncIterable<ReadyRow>> {
  const read = async function* (maxCharacters?: number) {
    for await (const { uid, row } of readRows(source, maxCharacters)) {
      yield { uid, row: compiled.decodeRow(row) };
    }
  };
  const size = await sizeOfFile(source);
  if (times <= 1 || (size !== null && size > MAX_KEPT_ROWS_BYTES)) return () => read();
  const rows: ReadyRow[] = [];
  for await (const row of read(MAX_KEPT_ROWS_BYTES)) rows.push(row);
  return () => rows;
}

function refuseSharedInput(...sources: readonly (string | undefined)[]): void {
  if (sources.filter((source) => source === '-').length > 1) {
    throw new QuanrenError('bad_request', 'Only one input can be standard input: give files for the others.');
  }
}
