/** The yardstick: uWebSockets.js alone, answering every GET /match with one constant. Prints its port. */
import { loadUws } from '../../gateway/transport/load-uws.js';

const body = `{"uid":"${'u'.repeat(8)}","userCrowds":["big_spenders","lapsed_premium","one_time_buyers"],"status":"fresh"}`;
const loaded = loadUws();
if (!('uws' in loaded)) throw new Error(loaded.reasons.join('; '));
const { uws } = loaded;
uws
  .App()
  .get('/match', (response) => {
    response
      .writeHeader('content-type', 'application/json')
      .writeHeader('cache-control', 'no-store')
      .end(body);
  })
  .listen('127.0.0.1', 0, (socket) => {
    if (socket !== false) console.log(uws.us_socket_local_port(socket));
  });
