/**
 * An exception of a server: of a whole call (`ExceptionResponse`), or of one action or region of a Multi, for which
 * HBase.proto of HBase 2.6.4 has:
 *
 *   message NameBytesPair {
 *     required string name = 1;
 *     optional bytes value = 2;
 *   }
 *
 * where the name is the class of the exception, and the value its stack trace as text.
 */
import type { ProtoReader } from '../proto-reader.js';

export interface RemoteFailure {
  /** For example `org.apache.hadoop.hbase.NotServingRegionException`; '' if the server does not say. */
  readonly className: string;
  /** Its first line is the message. */
  readonly stackTrace: string;
  readonly doNotRetry: boolean;
}

export function readNameBytesPair(reader: ProtoReader): RemoteFailure {
  let className = '';
  let stackTrace = '';
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) className = reader.text();
    else if (field === 2) stackTrace = reader.text();
    else reader.skip();
  }
  return { className, stackTrace, doNotRetry: false };
}
