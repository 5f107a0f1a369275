// Hours at a modest rate, for leaks and drift: k6 run -e RATE=500 -e DURATION=4h bench/k6/soak.js
// Watch beside it: the memory of the gateway's processes, quanren_gateway_event_loop_lag_seconds, and
// quanren_gateway_worker_restarts_total, which must not move.
import { match, thresholdsFor, usersFor } from './match.js';

const RATE = Number(__ENV.RATE || 300);

export const options = {
  thresholds: thresholdsFor(),
  scenarios: {
    soak: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: __ENV.DURATION || '1h',
      preAllocatedVUs: usersFor(RATE),
    },
  },
};

export default match;
