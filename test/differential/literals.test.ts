import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MAX_DAY, MIN_DAY, MIN_INSTANT } from '../../rules/civil.js';
import { formatDecimal, parseDecimal } from '../../rules/index.js';
import type { Dialect } from '../../rules/sql/index.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { openDuckdb, openPostgres, type SqlEngine } from './engines.js';
import { generateText } from './generate-texts.js';
import { Random } from './random.js';

const SEED = 20_261_123;
const BATCH = 2_500;

let server: TestPostgres;
let engines: readonly SqlEngine[];

before(async () => {
  server = await startTestPostgres();
  engines = [await openDuckdb(), await openPostgres(server)];
});

after(async () => {
  for (const engine of engines) await engine.stop();
  await server.stop();
});

/** A literal as each dialect writes it, and how an engine says what it has read. */
interface Sample {
  readonly literal: (dialect: Dialect) => string;
  readonly expected: string;
}

interface Kind {
  readonly name: string;
  readonly count: number;
  readonly make: (random: Random) => Sample;
  /** The value of a literal as a text that depends on no setting. */
  readonly show: (literal: string, dialect: Dialect) => string;
  readonly normalise?: (shown: string) => string;
}

const microsOf = (literal: string, { name }: Dialect) =>
  name === 'duckdb' ? `epoch_us(${literal})` : `CAST(EXTRACT(EPOCH FROM ${literal}) * 1000000 AS BIGINT)`;

const KINDS: readonly Kind[] = [
  {
    name: 'texts',
    count: 50_000,
    make: (random) => {
      const value = random.chance(0.5)
        ? generateText(random)
        : random.list(0, 30, () => anyCharacter(random)).join('');
      return { literal: ({ string }) => string(value), expected: value };
    },
    // Not as a text: DuckDB's driver takes a U+FEFF at the beginning of one for a byte order mark, and drops it.
    show: (literal, { name }) =>
      name === 'duckdb' ? `hex(encode(${literal}))` : `encode(convert_to(${literal}, 'UTF8'), 'hex')`,
    normalise: (hex) => Buffer.from(hex, 'hex').toString('utf8'),
  },
  {
    name: 'decimals',
    count: 20_000,
    make: (random) => {
      const precision = random.between(1, 38);
      const scale = random.between(0, precision);
      const unscaled = BigInt(random.digits(random.between(1, precision))) * (random.chance(0.5) ? -1n : 1n);
      const sign = unscaled < 0n ? '-' : '';
      const digits = String(unscaled)
        .replace('-', '')
        .padStart(scale + 1, '0');
      const text = `${sign}${digits.slice(0, digits.length - scale)}.${digits.slice(digits.length - scale)}0`;
      return {
        literal: ({ decimal }) => decimal(unscaled, { kind: 'decimal', precision, scale }),
        expected: canonical(text),
      };
    },
    show: (literal) => literal,
    normalise: canonical,
  },
  {
    name: 'whole numbers',
    count: 5_000,
    make: (random) => {
      const end = 2n ** BigInt(random.pick([7, 15, 31, 63]));
      const value = random.chance(0.1) ? random.pick([-end, end - 1n]) : BigInt(random.digits(18)) % end;
      return { literal: ({ integer }) => integer(value), expected: String(value) };
    },
    show: (literal) => literal,
  },
  {
    name: 'days',
    count: 10_000,
    make: (random) => {
      const day = random.chance(0.01) ? random.pick([MIN_DAY, MAX_DAY]) : random.between(MIN_DAY, MAX_DAY);
      return { literal: ({ date }) => date(day), expected: String(day) };
    },
    show: (literal) => `${literal} - DATE '1970-01-01'`,
  },
  {
    name: 'wall-clock times',
    count: 7_500,
    make: (random) => {
      const micros = anyMicros(random);
      return { literal: ({ localTimestamp }) => localTimestamp(micros), expected: String(micros) };
    },
    show: microsOf,
  },
  {
    name: 'moments',
    count: 7_500,
    make: (random) => {
      const micros = anyMicros(random);
      return { literal: ({ utcInstant }) => utcInstant(micros), expected: String(micros) };
    },
    show: microsOf,
  },
];

test('a hundred thousand literals are meant', () => {
  assert.equal(
    KINDS.reduce((sum, { count }) => sum + count, 0),
    100_000,
  );
});

for (const { name, count, make, show, normalise = String } of KINDS) {
  test(`literals come back as the very same value: ${name}`, async () => {
    const random = new Random(SEED);
    for (let done = 0; done < count; done += BATCH) {
      const samples = Array.from({ length: Math.min(BATCH, count - done) }, () => make(random));
      for (const engine of engines) {
        const { dialect } = engine;
        const rows = samples.map(
          ({ literal }, index) => `(${index}, CAST(${show(literal(dialect), dialect)} AS VARCHAR))`,
        );
        const result = await engine.query(
          `SELECT * FROM (VALUES ${rows.join(',\n')}) AS v(n, text) ORDER BY n`,
        );
        const values = result.map(([, text]) => normalise(text ?? 'NULL'));
        assert.deepEqual(
          values,
          samples.map(({ expected }) => expected),
          `${dialect.name}, seed ${SEED}`,
        );
      }
    }
  });
}

test('identifiers come back as the very same name', async () => {
  const random = new Random(SEED);
  const names = new Set<string>();
  // Postgres cuts names off at 63 bytes; DuckDB takes letters of either case for the same.
  while (names.size < 500)
    names.add(`${names.size} ${Array.from(generateText(random)).slice(0, 6).join('')}`.toLowerCase());
  for (const engine of engines) {
    for (const name of names) {
      const identifier = engine.dialect.identifier(name);
      const rows = await engine.query(
        `SELECT v.${identifier} FROM (SELECT 7 AS ${identifier}, 8 AS other) AS v`,
      );
      assert.deepEqual(rows, [['7']], `${engine.dialect.name}: ${name}`);
    }
  }
});

function canonical(text: string): string {
  // DuckDB leaves the zero before the point out where a column has no digit there.
  const value = parseDecimal(text.replace(/^(-?)[.]/, '$10.'));
  return value === null ? `not a decimal: ${text}` : formatDecimal(value);
}

/** Of any plane, but neither U+0000 nor a surrogate. */
function anyCharacter(random: Random): string {
  const code = random.between(1, random.pick([0x7f, 0x2ff, 0xd7ff, 0x10_ffff]));
  return code >= 0xd800 && code <= 0xdfff ? "'" : String.fromCodePoint(code);
}

function anyMicros(random: Random): bigint {
  const seconds =
    MIN_INSTANT + BigInt(random.between(0, MAX_DAY - MIN_DAY) * 86_400 + random.int(86_400)) * 1_000_000n;
  return seconds + BigInt(random.pick([0, 500_000, random.int(1_000_000)]));
}
