/**
 * A row of an embedded table: the cells of one user. In bytes, cell after cell:
 *
 *     codeLength u8 · code ASCII · changeTimeMs u48 BE · valueLength u16 BE · value UTF-8
 *
 * A valueLength of 0xFFFF marks a tombstone: the crowd was left, or the tag removed, at that time.
 */
export interface Cell {
  readonly changeTimeMs: number;
  /** null is a tombstone. */
  readonly value: string | null;
}

export type Row = Map<string, Cell>;

const TOMBSTONE = 0xffff;

/** The newer change decides; at a tie a tombstone does, then the greater value by code point. */
export function supersedes(a: Cell, b: Cell): boolean {
  if (a.changeTimeMs !== b.changeTimeMs) return a.changeTimeMs > b.changeTimeMs;
  if (a.value === null || b.value === null) return a.value === null && b.value !== null;
  // Code-point order is the order of the UTF-8 bytes; the order of JavaScript's strings is another.
  return a.value !== b.value && Buffer.compare(Buffer.from(a.value), Buffer.from(b.value)) > 0;
}

/** Calls `visit` for each cell of `bytes`, tombstones too. */
export function eachCell(
  bytes: Buffer,
  visit: (code: string, changeTimeMs: number, value: string | null) => void,
): void {
  const end = bytes.length;
  let at = 0;
  while (at < end) {
    const timeAt = at + 1 + bytes.readUInt8(at);
    const valueAt = timeAt + 8;
    const valueLength = bytes.readUInt16BE(timeAt + 6);
    const value =
      valueLength === TOMBSTONE
        ? null
        : valueLength === 0
          ? ''
          : bytes.toString('utf8', valueAt, valueAt + valueLength);
    visit(bytes.toString('latin1', at + 1, timeAt), bytes.readUIntBE(timeAt, 6), value);
    at = valueAt + (valueLength === TOMBSTONE ? 0 : valueLength);
  }
}

export function decodeRow(bytes: Buffer): Row {
  const row: Row = new Map();
  eachCell(bytes, (code, changeTimeMs, value) => row.set(code, { changeTimeMs, value }));
  return row;
}

/** The cells sorted by code, so that equal rows are equal bytes. */
export function encodeRow(row: Row): Buffer {
  const codes = [...row.keys()].sort();
  let size = 0;
  for (const [code, cell] of row) size += 9 + code.length + Buffer.byteLength(cell.value ?? '');
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const code of codes) {
    const { changeTimeMs, value } = row.get(code) as Cell;
    at = bytes.writeUInt8(code.length, at);
    at += bytes.write(code, at, 'latin1');
    at = bytes.writeUIntBE(changeTimeMs, at, 6);
    const valueLength = value === null ? TOMBSTONE : Buffer.byteLength(value);
    at = bytes.writeUInt16BE(valueLength, at);
    if (value !== null) at += bytes.write(value, at);
  }
  return bytes;
}
