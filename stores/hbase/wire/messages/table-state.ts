/**
 * The answer of MasterService.GetTableState. Master.proto and HBase.proto of HBase 2.6.4:
 *
 *   message TableState {
 *     enum State { ENABLED = 0; DISABLED = 1; DISABLING = 2; ENABLING = 3; }
 *     required State state = 1;
 *   }
 *   message GetTableStateResponse {
 *     required TableState table_state = 1;
 *   }
 */
import type { ProtoReader } from '../proto-reader.js';

const STATES = ['enabled', 'disabled', 'disabling', 'enabling'] as const;
export type TableState = (typeof STATES)[number] | 'unknown';

export function readTableState(reader: ProtoReader): TableState {
  let state: TableState = 'unknown';
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) state = reader.message(readState);
    else reader.skip();
  }
  return state;
}

function readState(reader: ProtoReader): TableState {
  let state: TableState = 'unknown';
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) state = STATES[reader.uint()] ?? 'unknown';
    else reader.skip();
  }
  return state;
}
