// A constant rate: k6 run -e RATE=2000 -e DURATION=1m bench/k6/steady.js
import { match, thresholds } from './match.js';

export const options = {
  thresholds,
  scenarios: {
    steady: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.RATE || 1000),
      timeUnit: '1s',
      duration: __ENV.DURATION || '1m',
      preAllocatedVUs: 50,
      maxVUs: 200,
    },
  },
};

export default match;
