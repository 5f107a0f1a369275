// A constant rate: k6 run -e RATE=2000 -e DURATION=1m bench/k6/steady.js
import { constantly, match, thresholdsFor, WARM_UP_SECONDS } from './match.js';

const RATE = Number(__ENV.RATE || 1000);

export const options = {
  thresholds: thresholdsFor('{scenario:steady}'),
  scenarios: {
    warm: constantly('match', RATE, 0, `${WARM_UP_SECONDS - 1}s`),
    steady: constantly('match', RATE, WARM_UP_SECONDS, __ENV.DURATION || '1m'),
  },
};

export { match };
