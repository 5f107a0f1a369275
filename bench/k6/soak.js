// Hours at a modest rate, for leaks and drift: k6 run -e RATE=500 -e DURATION=4h bench/k6/soak.js
// Watch beside it: process memory, quanren_gateway_event_loop_lag_seconds, worker_restarts_total.
import { match, thresholds } from './match.js';

export const options = {
  thresholds: { ...thresholds, http_req_duration: ['p(99)<5', 'p(99.9)<25', 'max<1000'] },
  scenarios: {
    soak: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.RATE || 300),
      timeUnit: '1s',
      duration: __ENV.DURATION || '1h',
      preAllocatedVUs: 30,
      maxVUs: 100,
    },
  },
};

export default match;
