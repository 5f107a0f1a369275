// Twice the CAPACITY, between two times of 0.7 of it: k6 run -e CAPACITY=1000 -e SECONDS=60 bench/k6/overload.js
// against a gateway that is set to it (QUANREN_GATEWAY_WORKER_USERS_PER_SECOND, times its workers). Of twice the capacity nine
// tenths of the capacity must be answered, and the rest be refused within REFUSAL_P99_MS. That what is answered takes at most
// twice as long as in `nominal` is for whoever reads the summary: no threshold of k6 compares two figures.
import { Counter, Trend } from 'k6/metrics';
import { constantly, match, matchOrRefusal, thresholdsFor, WARM_UP_SECONDS } from './match.js';

const CAPACITY = Number(__ENV.CAPACITY || 1000);
const SECONDS = Number(__ENV.SECONDS || 60);
const REFUSAL_P99_MS = Number(__ENV.REFUSAL_P99_MS || 5);
const NOMINAL = 0.7;
const CALM_SECONDS = Math.ceil(SECONDS / 3);

const answered = new Counter('answered');
const refused = new Counter('refused');
const answeredMs = new Trend('answered_duration', true);
const refusedMs = new Trend('refused_duration', true);

export const options = {
  scenarios: {
    warm: constantly('matchOrRefusal', 2 * CAPACITY, 0, `${WARM_UP_SECONDS - 1}s`),
    nominal: constantly('match', Math.round(NOMINAL * CAPACITY), WARM_UP_SECONDS, `${CALM_SECONDS}s`),
    twice: constantly('twice', 2 * CAPACITY, WARM_UP_SECONDS + CALM_SECONDS + 2, `${SECONDS}s`),
    after: constantly(
      'match',
      Math.round(NOMINAL * CAPACITY),
      WARM_UP_SECONDS + CALM_SECONDS + SECONDS + 4,
      `${CALM_SECONDS}s`,
    ),
  },
  thresholds: {
    ...thresholdsFor('{scenario:nominal}'),
    ...thresholdsFor('{scenario:after}'),
    'http_req_failed{scenario:twice}': ['rate<0.001'],
    'checks{scenario:twice}': ['rate>0.999'],
    'dropped_iterations{scenario:twice}': ['count==0'],
    answered: [`count>${0.9 * CAPACITY * SECONDS}`],
    refused_duration: [`p(99)<${REFUSAL_P99_MS}`],
  },
};

export function twice() {
  const { status, timings } = matchOrRefusal();
  if (status === 200) {
    answered.add(1);
    answeredMs.add(timings.duration);
  } else {
    refused.add(1);
    refusedMs.add(timings.duration);
  }
}

export { match, matchOrRefusal };
