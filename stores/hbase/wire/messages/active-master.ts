/**
 * The answer of ClientMetaService.GetActiveMaster. Registry.proto of HBase 2.6.4:
 *
 *   message GetActiveMasterResponse {
 *     optional ServerName server_name = 1;
 *   }
 */
import type { ProtoReader } from '../proto-reader.js';
import { readServerName, type ServerName } from './server-name.js';

/** undefined: no master is active, or none is known to the one that was asked. */
export function readActiveMaster(reader: ProtoReader): ServerName | undefined {
  let server: ServerName | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) server = reader.message(readServerName);
    else reader.skip();
  }
  return server;
}
