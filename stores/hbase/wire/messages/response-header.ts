/**
 * What goes before each response. RPC.proto of HBase 2.6.4:
 *
 *   message CellBlockMeta {
 *     optional uint32 length = 1;
 *   }
 *   message ExceptionResponse {
 *     optional string exception_class_name = 1;
 *     optional string stack_trace = 2;
 *     optional bool do_not_retry = 5;
 *     optional bool server_overloaded = 6;
 *   }
 *   message ResponseHeader {
 *     optional uint32 call_id = 1;
 *     optional ExceptionResponse exception = 2;
 *     optional CellBlockMeta cell_block_meta = 3;
 *   }
 */
import type { ProtoReader } from '../proto-reader.js';
import type { RemoteFailure } from './remote-failure.js';

export interface ResponseHeader {
  readonly callId: number;
  readonly failure: RemoteFailure | undefined;
  /** 0: no cell block follows. */
  readonly cellBlockBytes: number;
}

export function readResponseHeader(reader: ProtoReader): ResponseHeader {
  let callId = 0;
  let failure: RemoteFailure | undefined;
  let cellBlockBytes = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) callId = reader.uint();
    else if (field === 2) failure = reader.message(readExceptionResponse);
    else if (field === 3) cellBlockBytes = reader.message(readCellBlockMeta);
    else reader.skip();
  }
  return { callId, failure, cellBlockBytes };
}

function readCellBlockMeta(reader: ProtoReader): number {
  let length = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) length = reader.uint();
    else reader.skip();
  }
  return length;
}

function readExceptionResponse(reader: ProtoReader): RemoteFailure {
  let className = '';
  let stackTrace = '';
  let doNotRetry = false;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) className = reader.text();
    else if (field === 2) stackTrace = reader.text();
    else if (field === 5) doNotRetry = reader.bool();
    else reader.skip();
  }
  return { className, stackTrace, doNotRetry };
}
