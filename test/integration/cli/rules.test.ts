import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';

const MAIN = path.resolve(import.meta.dirname, '../../../cli/main.js');
const folder = mkdtempSync(path.join(tmpdir(), 'quanren-rules-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function run(args: readonly string[], input?: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'rules', ...args], {
    cwd: folder,
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
  });
  return { status, stdout, stderr };
}

function put(name: string, text: string): string {
  writeFileSync(path.join(folder, name), text);
  return name;
}

const TAGS = put(
  'tags.json',
  JSON.stringify([
    { tag_code: 'age', tag_type: 'numeric', source_field: 'age', source_type: 'INT' },
    { tag_code: 'city', tag_type: 'enum', source_field: null, value_format: null },
    { tag_code: 'seen', tag_type: 'datetime', source_type: 'DATE' },
  ]),
);
const RULE = put(
  'rule.json',
  `{"logic": "AND", "conditions": [
  {"tag_code": "age", "op": ">", "value": 18},
  {"tag_code": "city", "op": "NOT IN", "value": ["北京", "O'Hara"]},
  {"crowd_code": "gone", "op": "NOT IN CROWD"}
]}`,
);
const CROWDS = put(
  'crowds.json',
  '{"gone": {"tag_code":"seen","op":"<","value":{"relative":"-30d"}},\n "bad": {\n"tag_code":"nope","op":"IS NULL"}}',
);
const RULES = put(
  'rules.ndjson',
  `{"tag_code":"age","op":">=","value":18}
{"tag_code":"age","op":"≥","value":18}

{"tag_code":"city","op":"IS NULL"}
`,
);
const ROWS = put(
  'rows.ndjson',
  `{"uid":"u1","tags":{"age":20,"city":"上海","seen":"2026-11-20"}}
{"uid":"u2","tags":{"age":20,"seen":"2026-11-20"}}\r
{"uid":"u\u2028","tags":{"age":18}}`,
);
const COMMON = ['--tags', TAGS, '--crowds', CROWDS];

describe('quanren rules', () => {
  it('check: ok', () => {
    assert.deepEqual(run(['check', RULE, ...COMMON]), { status: 0, stdout: 'ok\n', stderr: '' });
  });

  it('check: file, line, pointer, code, message and hint of each error, and exit code 1', () => {
    const { status, stdout, stderr } = run(['check', RULES, ...COMMON]);
    assert.equal(status, 1);
    assert.equal(stdout, '1\tok\n2\terror\n3\tok\n');
    assert.match(
      stderr,
      /^rules\.ndjson:2 \/op unknown_operator '≥' is no operator here: .* — Write an operator .*\n$/,
    );
    const json = run(['check', RULES, ...COMMON, '--json']);
    assert.equal(json.status, 1);
    const lines = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ rule, ok, diagnostics }) => [rule, ok, diagnostics.length]),
      [
        [1, true, 0],
        [2, false, 1],
        [3, true, 0],
      ],
    );
  });

  it('check: the line in a pretty-printed rule, and in the file of crowds', () => {
    const rule = put(
      'wrong.json',
      '{"logic":"OR","conditions":[\n{"tag_code":"age","op":"=","value":"1"},\n{"crowd_code":"bad","op":"IN CROWD"}]}',
    );
    assert.deepEqual(
      run(['check', rule, ...COMMON])
        .stderr.split('\n')
        .map((line) => line.split(' ').slice(0, 5).join(' ')),
      [
        "wrong.json:2 /conditions/0/value wrong_value 'age' is",
        'crowds.json:3 crowd bad /tag_code unknown_tag',
        '',
      ],
    );
  });

  it('eval: one line a row', () => {
    const args = ['eval', RULE, ...COMMON, '--rows', ROWS, '--dt', '2026-11-23'];
    assert.deepEqual(run(args), { status: 0, stdout: 'u1\ttrue\nu2\tunknown\nu\u2028\tfalse\n', stderr: '' });
    assert.equal(
      run([...args, '--json']).stdout,
      '{"rule":1,"uid":"u1","truth":true}\n{"rule":1,"uid":"u2","truth":null}\n{"rule":1,"uid":"u\u2028","truth":false}\n',
    );
  });

  it('eval: many rules, and rows from standard input', () => {
    const rows = '{"uid":"a","tags":{"age":1}}\n{"uid":"b","tags":{"age":19,"city":""}}\n';
    const { status, stdout } = run(['eval', RULES, ...COMMON, '--rows', '-'], rows);
    assert.equal(status, 1);
    assert.equal(stdout, '1\ta\tfalse\n1\tb\ttrue\n3\ta\ttrue\n3\tb\tfalse\n');
  });

  it('eval: rows before one that is wrong are answered', () => {
    const rows = put(
      'half.ndjson',
      '{"uid":"a","tags":{"age":20}}\n{"uid":"a","tags":{}}\n{"uid":1,"tags":{}}\n',
    );
    const rule = put('adult.json', '{"tag_code":"age","op":">=","value":18}');
    const { status, stdout, stderr } = run(['eval', rule, ...COMMON, '--rows', rows]);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: 'a\ttrue\na\tunknown\n' });
    assert.match(stderr, /half\.ndjson:3 \/uid invalid_row /);
  });

  it('eval: more rows than the memory holds, and a reader who leaves early', async () => {
    const row = (number: number) =>
      `{"uid":"u${number}","tags":{"age":${number},"city":"${'x'.repeat(300)}"}}\n`;
    const rows = put('long.ndjson', Array.from({ length: 200_000 }, (_, number) => row(number)).join(''));
    const args = ['--max-old-space-size=48', MAIN, 'rules', 'eval', RULES, ...COMMON, '--rows', rows];
    const whole = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 26 });
    assert.equal(whole.status, 1);
    assert.equal(whole.stdout.split('\n').at(-2), '3\tu199999\tfalse');
    assert.equal(whole.stdout.split('\n').length, 400_001);

    const child = spawn(process.execPath, args, {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    child.stdout.once('data', () => child.stdout.destroy());
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const [status] = await once(child, 'close');
    assert.equal(status, 1);
    assert.match(stderr, /^rules\.ndjson:2 [^\n]*\n$/);
  });

  it('eval: many rules over more from standard input than can be kept', () => {
    const row = `{"uid":"a","tags":{"city":"${'x'.repeat(35 * 2 ** 20)}"}}\n`;
    const { status, stderr } = run(['eval', RULES, ...COMMON, '--rows', '-'], row + row);
    assert.equal(status, 2);
    assert.match(stderr, /-:2 The rows are too many to be kept/);
  });

  it('says so where standard output takes no more', { skip: !existsSync('/dev/full') }, () => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'rules', 'check', RULE, ...COMMON], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    });
    assert.equal(status, 3);
    assert.match(stderr, /^quanren: Standard output cannot be written: ENOSPC/);
  });

  it('a byte order mark and CRLF are no part of any input', () => {
    const bom = (text: string) => `\ufeff${text.replaceAll('\n', '\r\n')}\r\n`;
    const tags = put('bom-tags.json', bom('[{"tag_code":"age",\n"tag_type":"numeric"}]'));
    const rule = put('bom-rule.ndjson', bom('{"tag_code":"age","op":">=","value":18}\n'.repeat(2)));
    const rows = put(
      'bom-rows.ndjson',
      bom('{"uid":"a","tags":{"age":20}}\n\n{"uid":"b","tags":{"age":"20 "}}'),
    );
    const crowds = put('bom-crowds.json', bom('{}'));
    const { status, stdout } = run(['eval', rule, '--tags', tags, '--crowds', crowds, '--rows', rows]);
    assert.equal(status, 0);
    assert.equal(stdout, '1\ta\ttrue\n1\tb\tunknown\n2\ta\ttrue\n2\tb\tunknown\n');
  });

  it('eval: a relative value, also in a crowd, needs an anchor', () => {
    const { status, stdout, stderr } = run(['eval', RULE, ...COMMON, '--rows', ROWS]);
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^crowds\.json:1 crowd gone \/value anchor_required /);
  });

  it('sql: the expression alone', () => {
    const args = ['sql', RULE, '--tags', TAGS, '--crowds', CROWDS, '--dt', '2026-11-23', '--dialect'];
    for (const dialect of ['duckdb', 'postgres']) {
      const { status, stdout } = run([...args, dialect]);
      assert.equal(status, 0);
      assert.match(stdout, /^"age" > 18\nAND "city" NOT IN \('北京', 'O''Hara'\)\nAND NOT /);
    }
    assert.equal(run([...args, 'spark']).status, 2);
  });

  it('sql: of many rules, each on a line of its own', () => {
    const rule = `{"logic":"AND","conditions":[${'{"tag_code":"city","op":"CONTAINS","value":"a long text"},'.repeat(9)}{"tag_code":"age","op":">","value":1}]}`;
    const { status, stdout } = run(['sql', '-', ...COMMON, '--dialect', 'duckdb'], `${rule}\n${rule}\n`);
    assert.equal(status, 0);
    assert.match(stdout, /^1\tcontains[^\n]* AND "age" > 1\n2\tcontains[^\n]* AND "age" > 1\n$/);
  });

  it('explain: the tree with what was seen', () => {
    const args = ['explain', RULE, ...COMMON, '--dt', '2026-11-23', '--row'];
    const row = '{"uid":"u1","tags":{"age":20,"city":"北京"}}';
    const { status, stdout } = run([...args, row]);
    assert.equal(status, 0);
    assert.equal(
      stdout,
      `u1\tfalse
* false   AND
  true      age > 18: 20 (column age)
* false     city NOT IN ("北京", "O'Hara"): "北京" (column city)
  true      NOT IN CROWD gone, whose rule is
  unknown     seen < -30d = 2026-10-24: NULL (column seen is NULL)
`,
    );
    const json = JSON.parse(run([...args, put('row.json', row), '--json']).stdout);
    assert.deepEqual([json.rule, json.uid, json.truth, json.explanation.kind], [1, 'u1', false, 'and']);
  });

  it('rules from standard input, in either shape', () => {
    assert.equal(run(['check', '-', ...COMMON], '{\n"tag_code":"age",\n"op":"IS NULL"}').stdout, 'ok\n');
    const lines = '{"tag_code":"age","op":"IS NULL"}\n'.repeat(2);
    assert.equal(run(['check', '-', ...COMMON], lines).stdout, '1\tok\n2\tok\n');
  });

  it('ends with 2, and says where and what to do, when an input is wrong', () => {
    const wrongRows = put('wrong.ndjson', '{"uid":"u1","tags":{}}\n\n{"uid":"u2","tags":{"age":[1]}}\n');
    const binary = path.join(folder, 'binary');
    writeFileSync(binary, Buffer.from([0x7b, 0xff, 0x0a]));
    const evaluate = ['eval', RULES, ...COMMON];
    const cases: [RegExp, readonly string[]][] = [
      [/wrong\.ndjson:3 \/tags\/age invalid_row .*\[*array/, [...evaluate, '--rows', wrongRows]],
      [/binary:1 is not UTF-8/, [...evaluate, '--rows', binary]],
      [/none\.ndjson cannot be read: ENOENT/, [...evaluate, '--rows', 'none.ndjson']],
      [/rule\.json:1 .*Tags are an array/, ['check', RULE, '--tags', RULE]],
      [/tags\.json:1 should be an object/, ['check', RULE, '--tags', TAGS, '--crowds', TAGS]],
      [/--tz 'Mars' is no time zone/, ['check', RULE, ...COMMON, '--tz', 'Mars']],
      [/--dt '2026-02-29' is no day/, [...evaluate, '--rows', ROWS, '--dt', '2026-02-29']],
      [/not both/, [...evaluate, '--rows', ROWS, '--dt', '2026-02-28', '--at', '2026-02-28T00:00Z']],
      [/Only one input can be standard input/, ['eval', '-', ...COMMON, '--rows', '-']],
      [/required option '--tags/, ['check', RULE]],
      [/is empty/, ['check', put('empty.json', '\n'), ...COMMON]],
    ];
    for (const [message, args] of cases) {
      const { status, stderr } = run(args);
      assert.match(stderr, message);
      assert.equal(status, 2, args.join(' '));
    }
  });

  it('each command has help with an example', () => {
    for (const command of ['check', 'eval', 'sql', 'explain']) {
      const { status, stdout } = run([command, '--help']);
      assert.equal(status, 0);
      assert.match(stdout, new RegExp(`Example:\n  quanren rules ${command} `));
      assert.match(stdout, /Exit codes: 0 /);
    }
  });
});
