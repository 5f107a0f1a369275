/**
 * HBase.proto of HBase 2.6.4:
 *
 *   message BytesBytesPair {
 *     required bytes first = 1;
 *     required bytes second = 2;
 *   }
 *   message ColumnFamilySchema {
 *     required bytes name = 1;
 *     repeated BytesBytesPair attributes = 2;
 *     repeated NameStringPair configuration = 3;
 *   }
 *   message TableSchema {
 *     optional TableName table_name = 1;
 *     repeated BytesBytesPair attributes = 2;
 *     repeated ColumnFamilySchema column_families = 3;
 *     repeated NameStringPair configuration = 4;
 *   }
 *   message NameStringPair {
 *     required string name = 1;
 *     required string value = 2;
 *   }
 */
import { utf8Bytes } from '../byte-string.js';
import type { ProtoWriter } from '../proto-writer.js';
import { type TableName, writeTableName } from './table-name.js';

type Settings = Readonly<Record<string, string>>;

export interface ColumnFamilySchema {
  readonly name: string;
  /** As the shell has them: `BLOOMFILTER` → `ROW`. */
  readonly attributes: Settings;
  /** Settings of hbase-site.xml that hold for this family: `hbase.hstore.time.to.purge.deletes` → `604800000`. */
  readonly configuration: Settings;
}

export interface TableSchema {
  readonly table: TableName;
  readonly attributes: Settings;
  readonly families: readonly ColumnFamilySchema[];
}

export function writeTableSchema(writer: ProtoWriter, schema: TableSchema): void {
  writer.message(1, (name) => writeTableName(name, schema.table));
  writeSettings(writer, 2, schema.attributes);
  for (const { name, attributes, configuration } of schema.families) {
    writer.message(3, (family) => {
      family.bytes(1, utf8Bytes(name));
      writeSettings(family, 2, attributes);
      writeSettings(family, 3, configuration);
    });
  }
}

/** Both kinds of pairs are the same on the wire. */
function writeSettings(writer: ProtoWriter, field: number, settings: Settings): void {
  for (const [name, value] of Object.entries(settings)) {
    writer.message(field, (pair) => {
      pair.bytes(1, utf8Bytes(name));
      pair.bytes(2, utf8Bytes(value));
    });
  }
}
