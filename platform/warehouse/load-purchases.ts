/**
 * A purchases file into the layers, in the partition of one business date, the load's:
 *
 *   ODS `ods/purchases`           every line as it came, the header and line ends too: file_name, file_hash (SHA-256 of
 *                                 the content), line_number (from 1), line_text; where a line is not UTF-8 its
 *                                 line_text is NULL and line_bytes has it
 *   DWD `dwd/purchases`           uid, purchase_date, cds, amount DECIMAL(10,2), file_hash, line_number
 *       `dwd/purchases_rejected`  the lines that are no purchases, with the reason
 *
 * (file_hash, line_number) identifies a purchase: a file's name in each table is its hash, so a content that was loaded
 * before changes nothing, under whatever name or business date it comes again. The file in `dwd/purchases` is renamed
 * into place last and says that the load is complete; a load killed before that is loaded again, over what it left.
 */

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { type DuckDBAppender, DuckDBDateValue, DuckDBDecimalValue } from '@duckdb/node-api';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { DuckSession } from './duck.js';
import { type PurchaseTable, publishFile, type WarehouseFiles } from './files.js';
import { isPurchaseHeader, parsePurchaseLine, REJECT_REASONS, type RejectReason } from './purchase-line.js';
import { refuseOverflow } from './refuse-overflow.js';
import { splitLines } from './split-lines.js';

export interface PurchaseSource {
  /** What the file is called; kept beside its lines. */
  readonly name: string;
  readonly content: AsyncIterable<Uint8Array>;
}

export type LoadedPurchases = {
  readonly fileName: string;
  /** SHA-256 of the content, in hexadecimal. */
  readonly fileHash: string;
  /** The business date that was asked for, or the newest purchase date in the file. */
  readonly dt: string;
  /** Where this content has lain since it was first loaded: `dt`, unless it was loaded before under another. */
  readonly partition: string;
  readonly alreadyLoaded: boolean;
  readonly purchases: number;
  readonly rejected: Readonly<Record<RejectReason, number>>;
  /** Purchases after `dt`: kept, and left out of the wide table of `dt`. */
  readonly afterDt: number;
};

const STAGED = `CREATE TEMP TABLE staged (line_number BIGINT, line_text VARCHAR, line_bytes BLOB, reason VARCHAR,
  uid VARCHAR, purchase_date DATE, cds INTEGER, amount DECIMAL(10,2))`;

/** Rows between two flushes of the appender: what it holds in memory. */
const FLUSH_ROWS = 20_000;
const CR = 0x0d;

function appendLine(staged: DuckDBAppender, lineNumber: number, line: Buffer): void {
  staged.appendBigInt(BigInt(lineNumber));
  if (isUtf8(line)) {
    staged.appendVarchar(line.toString());
    staged.appendNull();
  } else {
    staged.appendNull();
    staged.appendBlob(line);
  }
  const text = line.at(-1) === CR ? line.subarray(0, -1) : line;
  // The header is kept in ODS; it is neither a purchase nor a bad line.
  const purchase = lineNumber === 1 ? null : parsePurchaseLine(text);
  if (purchase === null || typeof purchase === 'string') {
    if (purchase === null) staged.appendNull();
    else staged.appendVarchar(purchase);
    for (let column = 0; column < 4; column += 1) staged.appendNull();
  } else {
    staged.appendNull();
    staged.appendVarchar(purchase.uid);
    staged.appendDate(new DuckDBDateValue(purchase.purchaseDay));
    staged.appendInteger(purchase.cds);
    staged.appendDecimal(new DuckDBDecimalValue(BigInt(purchase.cents), 10, 2));
  }
  staged.endRow();
}

/** Reads the whole file into the session's table `staged` and returns the content's hash. */
async function stage(session: DuckSession, source: PurchaseSource): Promise<string> {
  await session.run(STAGED);
  const staged = await session.appender('staged');
  const hash = createHash('sha256');
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const piece of source.content) {
      hash.update(piece);
      yield piece;
    }
  }
  let lineNumber = 0;
  try {
    for await (const lines of splitLines(hashed())) {
      for (const line of lines) {
        lineNumber += 1;
        if (lineNumber === 1 && !isPurchaseHeader(line.at(-1) === CR ? line.subarray(0, -1) : line)) {
          throw new QuanrenError(
            'bad_request',
            `${source.name} does not start with the header line 'customer_id date number_of_cds dollar_value'.`,
          );
        }
        appendLine(staged, lineNumber, line);
        if (lineNumber % FLUSH_ROWS === 0) staged.flushSync();
      }
    }
  } finally {
    staged.closeSync();
  }
  if (lineNumber === 0) throw new QuanrenError('bad_request', `${source.name} is empty.`);
  return hash.digest('hex');
}

const TABLES: Readonly<Record<PurchaseTable, string>> = {
  'ods/purchases': `SELECT $fileName AS file_name, $fileHash AS file_hash, line_number, line_text, line_bytes
    FROM staged`,
  'dwd/purchases_rejected': `SELECT $fileName AS file_name, $fileHash AS file_hash, line_number, reason, line_text, line_bytes
    FROM staged WHERE reason IS NOT NULL`,
  // Last: its presence is what completes the load.
  'dwd/purchases': `SELECT uid, purchase_date, cds, amount, $fileHash AS file_hash, line_number
    FROM staged WHERE uid IS NOT NULL`,
};

async function writeTables(
  session: DuckSession,
  files: WarehouseFiles,
  names: { fileName: string; fileHash: string; dt: string },
): Promise<void> {
  const { fileName, fileHash, dt } = names;
  for (const [name, select] of Object.entries(TABLES)) {
    const table = name as PurchaseTable;
    for (const leftover of await files.purchaseFiles(table)) {
      if (leftover.fileHash === fileHash) await rm(leftover.file);
    }
    const temporary = files.temporaryFile();
    const parameters = table === 'dwd/purchases' ? { fileHash } : { fileName, fileHash };
    await session.run(
      `COPY (${select} ORDER BY line_number) TO $temporary (FORMAT parquet, COMPRESSION zstd)`,
      {
        ...parameters,
        temporary,
      },
    );
    await publishFile(temporary, files.purchases(table, dt, fileHash));
  }
}

/**
 * Loads one file into ODS and DWD. A purchase after the business date is kept: it counts in the wide tables of later
 * business dates. Throws `bad_request` for a file without the header line, an empty one, one without a purchase, and one
 * that takes a user's totals beyond their columns.
 */
export async function loadPurchases(
  session: DuckSession,
  files: WarehouseFiles,
  source: PurchaseSource,
  givenDt?: string,
): Promise<LoadedPurchases> {
  const fileHash = await stage(session, source);
  const [{ newest } = {}] = await session.rows('SELECT max(purchase_date)::VARCHAR AS newest FROM staged');
  if (typeof newest !== 'string') {
    const [{ bad } = {}] = await session.rows('SELECT count(reason) AS bad FROM staged');
    throw new QuanrenError(
      'bad_request',
      `${source.name} holds no purchase, and ${bad} bad lines: there is nothing to load.`,
    );
  }
  const dt = givenDt ?? newest;
  await files.refuseOtherOrigin(dt, 'real');
  const loaded = await files.purchaseFiles('dwd/purchases');
  const existing = loaded.find((file) => file.fileHash === fileHash);
  if (existing === undefined) {
    await refuseOverflow(
      session,
      source.name,
      loaded.map(({ file }) => file),
    );
    await writeTables(session, files, { fileName: source.name, fileHash, dt });
  }

  const counts = await session.rows(
    'SELECT reason, count(*) AS lines FROM staged WHERE line_number > 1 GROUP BY reason',
  );
  const lines = new Map(counts.map((row) => [row.reason, Number(row.lines)]));
  const [{ after } = {}] = await session.rows(
    'SELECT count(*) AS after FROM staged WHERE purchase_date > $dt::DATE',
    { dt },
  );
  return {
    fileName: source.name,
    fileHash,
    dt,
    partition: existing?.dt ?? dt,
    alreadyLoaded: existing !== undefined,
    purchases: lines.get(null) ?? 0,
    rejected: Object.fromEntries(REJECT_REASONS.map((reason) => [reason, lines.get(reason) ?? 0])) as Record<
      RejectReason,
      number
    >,
    afterDt: Number(after),
  };
}
