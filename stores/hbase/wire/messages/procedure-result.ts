/**
 * How far a procedure of the master is. Master.proto and ErrorHandling.proto of HBase 2.6.4:
 *
 *   message GetProcedureResultRequest {
 *     required uint64 proc_id = 1;
 *   }
 *   message GetProcedureResultResponse {
 *     enum State { NOT_FOUND = 0; RUNNING = 1; FINISHED = 2; }
 *     required State state = 1;
 *     optional ForeignExceptionMessage exception = 5;
 *   }
 *   message ForeignExceptionMessage {
 *     optional GenericExceptionMessage generic_exception = 2;
 *   }
 *   message GenericExceptionMessage {
 *     optional string class_name = 1;
 *     optional string message = 2;
 *   }
 */
import type { ProtoReader } from '../proto-reader.js';
import type { ProtoWriter } from '../proto-writer.js';
import type { RemoteFailure } from './remote-failure.js';

const RUNNING = 1;

export interface ProcedureResult {
  readonly isRunning: boolean;
  readonly failure: RemoteFailure | undefined;
}

export function writeGetProcedureResult(writer: ProtoWriter, id: number): void {
  writer.uint(1, id);
}

export function readProcedureResult(reader: ProtoReader): ProcedureResult {
  let state = 0;
  let failure: RemoteFailure | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) state = reader.uint();
    else if (field === 5) failure = reader.message(readForeignException);
    else reader.skip();
  }
  return { isRunning: state === RUNNING, failure };
}

function readForeignException(reader: ProtoReader): RemoteFailure {
  let failure: RemoteFailure = { className: '', stackTrace: '', doNotRetry: true };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) failure = reader.message(readGenericException);
    else reader.skip();
  }
  return failure;
}

function readGenericException(reader: ProtoReader): RemoteFailure {
  let className = '';
  let stackTrace = '';
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) className = reader.text();
    else if (field === 2) stackTrace = reader.text();
    else reader.skip();
  }
  return { className, stackTrace, doNotRetry: true };
}
