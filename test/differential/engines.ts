/** Real DuckDB and real Postgres, as far as the differential tests use them. */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import type { Tag, Truth } from '../../rules/index.js';
import { type Dialect, duckdb, postgres } from '../../rules/sql/index.js';
import type { TestPostgres } from '../support/postgres.js';

/** A column of a test's table: what `rows` hold for `tag.code`, as text, cast to the SQL type. */
export interface TestColumn {
  readonly tag: Tag;
  readonly sqlType: string;
}

export interface SqlEngine {
  readonly dialect: Dialect;
  /** Makes the one table that `evaluate` reads, in place of the one before. */
  load(columns: readonly TestColumn[], rows: readonly ReadonlyMap<string, string | null>[]): Promise<void>;
  /** The truth of each condition for each row: [condition][row]. */
  evaluate(conditions: readonly string[]): Promise<readonly (readonly Truth[])[]>;
  /** The rows of a query, values as text. */
  query(sql: string): Promise<readonly (readonly (string | null)[])[]>;
  stop(): Promise<void>;
}

const TABLE = 'users';
const NUMBER = 'row_number_';
/** No statement of these tests takes longer, unless an engine is stuck. */
const STATEMENT_DEADLINE_MS = 300_000;

export async function openDuckdb(dialect: Dialect = duckdb): Promise<SqlEngine> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1', memory_limit: '1GB' });
  const connection = await instance.connect();
  return {
    dialect,
    load: async (columns, rows) => {
      await connection.run(
        `CREATE OR REPLACE TABLE texts (${[NUMBER, ...columns.map((_, index) => `c${index}`)].map((name) => `${name} VARCHAR`).join(', ')})`,
      );
      const appender = await connection.createAppender('texts');
      for (const [number, row] of rows.entries()) {
        appender.appendVarchar(String(number));
        for (const { tag } of columns) {
          const raw = row.get(tag.code) ?? null;
          if (raw === null) appender.appendNull();
          else appender.appendVarchar(raw);
        }
        appender.endRow();
      }
      appender.closeSync();
      // Postgres has a NaN among decimals, which is no value; here there is none in its place.
      const casts = columns.map(({ tag, sqlType }, index) => {
        const raw = isDecimal(tag) ? `NULLIF(c${index}, 'NaN')` : `c${index}`;
        return `CAST(${raw} AS ${sqlType}) AS ${duckdb.identifier(tag.sourceField)}`;
      });
      await connection.run(
        `CREATE OR REPLACE TABLE ${TABLE} AS SELECT ${[`CAST(${NUMBER} AS INTEGER) AS ${NUMBER}`, ...casts].join(', ')} FROM texts`,
      );
    },
    evaluate: async (conditions) => {
      const selected = conditions.map((condition, index) => `(${condition}) AS r${index}`);
      const result = await runInTime(
        connection,
        `SELECT ${selected.join(',\n')} FROM ${TABLE} ORDER BY ${NUMBER}`,
      );
      return result.getColumns().map((column) => column.map(toTruth));
    },
    query: async (sql) => {
      const result = await runInTime(connection, sql);
      return result.getRows().map((row) => row.map((value) => (value === null ? null : String(value))));
    },
    stop: async () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function runInTime(connection: DuckDBConnection, sql: string) {
  const timer = setTimeout(() => connection.interrupt(), STATEMENT_DEADLINE_MS);
  try {
    return await connection.runAndReadAll(sql);
  } finally {
    clearTimeout(timer);
  }
}

/** It takes digits for numbers and looks past punctuation, so that the order of texts is not that of code points. */
const COLLATION = 'adverse';
const TRUTH_LETTERS: Readonly<Record<string, Truth>> = { t: true, f: false, n: null };

/** On a server that the caller has started, and stops. */
export async function openPostgres(server: TestPostgres, dialect: Dialect = postgres): Promise<SqlEngine> {
  const client = new pg.Client({
    ...(await server.createDatabase()),
    statement_timeout: STATEMENT_DEADLINE_MS,
    types: { getTypeParser: () => String },
  });
  await client.connect();
  await client.query('SET jit = off');
  await client.query(`CREATE COLLATION ${COLLATION} (provider = icu, locale = 'und-u-kn-true-ka-shifted')`);
  return {
    dialect,
    load: async (columns, rows) => {
      await client.query(`DROP TABLE IF EXISTS ${TABLE}`);
      const types = columns.map(({ sqlType }) => (sqlType === 'TINYINT' ? 'SMALLINT' : sqlType));
      const names = columns.map(({ tag }) => postgres.identifier(tag.sourceField));
      const arrays = columns.map((_, index) => `$${index + 1}::text[]`);
      const casts = columns.map(({ tag }, index) => {
        const collation = tag.column.kind === 'text' ? ` COLLATE ${COLLATION}` : '';
        return `CAST(c${index} AS ${types[index]})${collation} AS ${names[index]}`;
      });
      await client.query(
        `CREATE TABLE ${TABLE} AS SELECT ${[NUMBER, ...casts].join(', ')} FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS texts(${[...columns.map((_, index) => `c${index}`), NUMBER].join(', ')})`,
        columns.map(({ tag }) => rows.map((row) => row.get(tag.code) ?? null)),
      );
      await client.query(`CREATE INDEX ON ${TABLE} (${NUMBER})`);
      await client.query(`ANALYZE ${TABLE}`);
    },
    evaluate: async (conditions) => {
      const selected = conditions.map(
        (condition) =>
          `string_agg(CASE (${condition}) WHEN TRUE THEN 't' WHEN FALSE THEN 'f' ELSE 'n' END, '' ORDER BY ${NUMBER})`,
      );
      const { rows } = await client.query({
        text: `SELECT ${selected.join(',\n')} FROM ${TABLE}`,
        rowMode: 'array',
      });
      return (rows[0] ?? []).map((letters: string) =>
        Array.from(letters, (letter) => TRUTH_LETTERS[letter] ?? null),
      );
    },
    query: async (sql) => (await client.query({ text: sql, rowMode: 'array' })).rows,
    stop: () => client.end(),
  };
}

function isDecimal({ column }: Tag): boolean {
  return column.kind === 'decimal' || column.kind === 'number';
}

function toTruth(value: unknown): Truth {
  return value === null ? null : value === true;
}
