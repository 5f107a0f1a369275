// What the k6 scripts ask: random users, half list queries, half crowdCode queries.
// Settings by environment: BASE_URL, USERS, CROWD, TOKEN.
import { check } from 'k6';
import http from 'k6/http';

const BASE_URL = __ENV.BASE_URL || 'http://127.0.0.1:8080';
const USERS = Number(__ENV.USERS || 23570);
const CROWD = __ENV.CROWD || 'big_spenders_30d';
const headers = __ENV.TOKEN ? { Authorization: `Bearer ${__ENV.TOKEN}` } : {};

// CDNOW's uids: five digits.
const uidOf = (i) => String(i).padStart(5, '0');

export function match() {
  const uid = uidOf(1 + Math.floor(Math.random() * USERS));
  const asksForOne = Math.random() < 0.5;
  const query = asksForOne ? `uid=${uid}&crowdCode=${CROWD}` : `uid=${uid}`;
  const response = http.get(`${BASE_URL}/match?${query}`, {
    headers,
    tags: { name: asksForOne ? 'one crowd' : 'all crowds' },
  });
  check(response, {
    'status is 200': (r) => r.status === 200,
    'answer is fresh': (r) => r.status === 200 && r.json('status') === 'fresh',
  });
}

// A run fails when the gateway fails or is slow, and when k6 itself could not keep the rate it promised.
export const thresholds = {
  http_req_failed: ['rate<0.001'],
  http_req_duration: ['p(99)<5', 'p(99.9)<25'],
  checks: ['rate>0.999'],
  dropped_iterations: ['count==0'],
};
