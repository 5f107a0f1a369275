// Whom to ask for. KIND: `any` user with the same chance; `hit`: the HOT first ones, by Zipf's law (the k-th is asked for 1/k as
// often as the first), so that a cache that holds them answers once it is warm; `miss`: one of the others; `mixed`: of those
// in MISSES (0.1) of the cases. Users are 1 to USERS, after UID_PREFIX and in UID_DIGITS digits: by default CDNOW's.
const KIND = __ENV.KIND || 'any';
const USERS = Number(__ENV.USERS || 23570);
const HOT = Number(__ENV.HOT || Math.ceil(USERS / 50));
const MISSES = { hit: 0, mixed: Number(__ENV.MISSES || 0.1), miss: 1 }[KIND];
const PREFIX = __ENV.UID_PREFIX || '';
const DIGITS = Number(__ENV.UID_DIGITS || 5);

function pick() {
  if (KIND === 'any') return 1 + Math.floor(Math.random() * USERS);
  if (Math.random() < MISSES) return HOT + Math.floor(Math.random() * (USERS - HOT + 1));
  // Evenly spread logarithms: of chance log(1 + 1/k) / log(HOT) for the k-th.
  return Math.floor(HOT ** Math.random());
}

export const pickUid = () => PREFIX + String(pick()).padStart(DIGITS, '0');
