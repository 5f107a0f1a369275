/** SQL from rules: what other rooms import. */
export { type CrowdColumn, compileCrowdsToSql, compileToSql } from './compile.js';
export type { Dialect, DialectName } from './dialect.js';
export { duckdb } from './duckdb.js';
export { postgres } from './postgres.js';
