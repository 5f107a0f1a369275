// From nothing to PEAK and beyond it by half: where does it bend? k6 run -e PEAK=5000 bench/k6/ramp.js
// Beyond capacity the gateway may say 503 at once; what it must not do is hang or answer wrongly.
import { match, thresholds } from './match.js';

const PEAK = Number(__ENV.PEAK || 3000);

export const options = {
  thresholds,
  scenarios: {
    ramp: {
      executor: 'ramping-arrival-rate',
      startRate: 100,
      timeUnit: '1s',
      preAllocatedVUs: 100,
      maxVUs: 500,
      stages: [
        { target: PEAK, duration: '2m' },
        { target: PEAK, duration: '1m' },
        { target: Math.round(PEAK * 1.5), duration: '1m' },
        { target: 100, duration: '30s' },
      ],
    },
  },
};

export default match;
