// What the k6 scripts ask: users of users.js, half list queries, half crowdCode queries.
// Settings by environment (-e NAME=VALUE): BASE_URL, CROWD, TOKEN, those of users.js; P99_MS and P999_MS are the latencies to hold.
// k6's own pauses count as the gateway's: run it with GOGC=off GOMEMLIMIT=3GiB GOMAXPROCS=4 (support/k6.ts says why).
import { check } from 'k6';
import http from 'k6/http';
import { pickUid } from './users.js';

const BASE_URL = __ENV.BASE_URL || 'http://127.0.0.1:8080';
const CROWD = __ENV.CROWD || 'big_spenders_30d';
const P99_MS = Number(__ENV.P99_MS || 5);
const P999_MS = Number(__ENV.P999_MS || 25);
const headers = __ENV.TOKEN ? { Authorization: `Bearer ${__ENV.TOKEN}` } : {};

function ask(responseCallback) {
  const uid = pickUid();
  const asksForOne = Math.random() < 0.5;
  const query = asksForOne ? `uid=${uid}&crowdCode=${CROWD}` : `uid=${uid}`;
  const response = http.get(`${BASE_URL}/match?${query}`, {
    headers,
    tags: { name: asksForOne ? 'one crowd' : 'all crowds' },
    responseCallback,
  });
  return { response, part: asksForOne ? '"isMatch":' : '"userCrowds":[' };
}

// By text, since parsing costs k6 more than asking. The uids need no escaping.
const isFresh = (response, part) =>
  response.status === 200 && response.body.includes(part) && response.body.endsWith('"status":"fresh"}');

// A fresh answer is wanted.
export function match() {
  const { response, part } = ask(http.expectedStatuses(200));
  check(response, {
    'status is 200': (r) => r.status === 200,
    'answer is fresh': (r) => isFresh(r, part),
  });
}

// Beyond capacity: a fresh answer, or to be told when to ask again.
export function matchOrRefusal() {
  const { response, part } = ask(http.expectedStatuses(200, 503));
  check(response, {
    'a fresh answer, or 503 with Retry-After': (r) =>
      isFresh(r, part) || (r.status === 503 && Number(r.headers['Retry-After']) > 0),
  });
  return response;
}

// At a rate that does not follow the answers, from `startSeconds` on.
export const constantly = (exec, rate, startSeconds, duration) => ({
  executor: 'constant-arrival-rate',
  exec,
  startTime: `${startSeconds}s`,
  gracefulStop: '1s',
  rate,
  timeUnit: '1s',
  duration,
  preAllocatedVUs: usersFor(rate),
});

// Before anything is measured: k6's users connect with their first request, all at the same time.
export const WARM_UP_SECONDS = 4;

// Enough for bursts of 50 ms. Each has a JavaScript heap of its own that k6 collects: with 400 instead of 100 its own pauses make
// p99 of 2,000 requests a second 120 ms instead of 25.
export const usersFor = (rate) => Math.max(50, Math.ceil(rate / 20));

// A run fails when the gateway fails or is slow, and when k6 itself could not keep the rate it promised.
// `of` limits them to the metrics with a tag, as `{scenario:climb}`.
export const thresholdsFor = (of = '') => ({
  [`http_req_failed${of}`]: ['rate<0.001'],
  [`http_req_duration${of}`]: [`p(99)<${P99_MS}`, `p(99.9)<${P999_MS}`, 'max<1000'],
  [`checks${of}`]: ['rate>0.999'],
  [`dropped_iterations${of}`]: ['count==0'],
});
