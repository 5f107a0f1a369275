// A constant rate: k6 run -e RATE=2000 -e DURATION=1m bench/k6/steady.js
import { match, thresholdsFor, usersFor } from './match.js';

const RATE = Number(__ENV.RATE || 1000);

export const options = {
  thresholds: thresholdsFor(),
  scenarios: {
    steady: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: __ENV.DURATION || '1m',
      preAllocatedVUs: usersFor(RATE),
    },
  },
};

export default match;
