// Up to PEAK, half as much again beyond it, and back: k6 run -e PEAK=5000 -e SECONDS=240 bench/k6/ramp.js
// Up to PEAK and after the storm the gateway must be as in steady.js. Beyond PEAK it may refuse, but not fail, hang or
// answer wrongly; what k6 drops there is what it could not send with its users all waiting.
import { match, matchOrRefusal, thresholdsFor, usersFor } from './match.js';

const PEAK = Number(__ENV.PEAK || 3000);
const SECONDS = Number(__ENV.SECONDS || 240);
const quarter = `${SECONDS / 4}s`;

const scenario = (startQuarter, exec, peak, startRate, stages) => ({
  executor: 'ramping-arrival-rate',
  exec,
  startTime: `${(startQuarter * SECONDS) / 4}s`,
  gracefulStop: '2s',
  timeUnit: '1s',
  startRate,
  preAllocatedVUs: usersFor(peak),
  stages: stages.map((target) => ({ target, duration: quarter })),
});

export const options = {
  scenarios: {
    climb: scenario(0, 'match', PEAK, 0, [PEAK, PEAK]),
    beyond: scenario(2, 'matchOrRefusal', 1.5 * PEAK, PEAK, [Math.round(1.5 * PEAK)]),
    after: scenario(3, 'match', PEAK, PEAK, [0]),
  },
  thresholds: {
    ...thresholdsFor('{scenario:climb}'),
    ...thresholdsFor('{scenario:after}'),
    'http_req_failed{scenario:beyond}': ['rate<0.001'],
    'checks{scenario:beyond}': ['rate>0.999'],
    'http_req_duration{scenario:beyond}': ['max<1000'],
  },
};

export { match, matchOrRefusal };
