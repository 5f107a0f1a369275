/** What goes wrong: how it begins and how it ends. A scene is mended when what it hurt answers again. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { befall, type WorkerFault } from '../integration/gateway/worker-faults.js';
import { until } from '../support/until.js';
import type { Weather } from './fault-proxy.js';
import type { EngineName, ProxiedName, Rig } from './rig.js';

export interface Scene {
  readonly name: string;
  /** What it is about. Of what is the same no two go wrong at once. */
  readonly about: EngineName | 'gateway' | 'clock';
  /** Part of `npm test`; the rest runs with `npm run test:faults`. */
  readonly isShort?: true;
  /** How long it lasts before it is mended. */
  readonly forMs: number;
  /** The first gateway is what is hurt: only the others are held to what is wanted. */
  readonly hurtsGateway?: true;
  /** The store cannot be reached while it lasts: whoever needs it is to learn so at once. */
  readonly isStoreAway?: true;
  /** It takes a disk that can be filled. */
  readonly needsDisk?: true;
  readonly strike: (rig: Rig) => Promise<void>;
  readonly mend: (rig: Rig) => Promise<void>;
  /** What must hold beside the answers, once all is mended. */
  readonly check?: (rig: Rig) => Promise<void>;
}

const FINDS_OUT_MS = 3_000;
const REPLACED_WITHIN_MS = 30_000;
const WORKERS = 'quanren_gateway_workers';

/** By engine, the processes that a fault is about. */
const PROCESSES: Readonly<Record<EngineName, readonly string[]>> = {
  hbase: ['regionserver-1', 'regionserver-2'],
  kafka: ['kafka'],
  redis: ['redis'],
  postgres: ['postgres'],
};

function killed(about: EngineName, name: string, names = PROCESSES[about]): Scene {
  return {
    name: `${name} killed (kill -9), and started again`,
    about,
    forMs: 5_000,
    ...(about === 'hbase' ? { isStoreAway: true } : {}),
    strike: async ({ engines }) => {
      await Promise.all(names.map((each) => engines[about].engine.process(each).kill()));
    },
    mend: async (rig) => {
      await rig.engines[about].engine.start();
      if (about === 'hbase') await rig.storeServes();
    },
  };
}

function paused(about: EngineName, name: string, names = PROCESSES[about]): Scene {
  return {
    name: `${name} paused (SIGSTOP), and resumed`,
    about,
    forMs: 2_000,
    // Of one of two servers those who are refused are too few to tell of them.
    ...(names === PROCESSES.hbase ? { isStoreAway: true } : {}),
    strike: async ({ engines }) => {
      await Promise.all(names.map((each) => engines[about].engine.process(each).pause()));
    },
    mend: async (rig) => {
      const { engines } = rig;
      await Promise.all(names.map((each) => engines[about].engine.process(each).resume()));
      if (about !== 'hbase') return;
      // A region server that was taken for dead meanwhile finds that out, and ends itself: whoever runs it starts it again.
      await sleep(FINDS_OUT_MS);
      await engines.hbase.engine.start();
      await rig.storeServes();
    },
  };
}

const CUT_OFF: ReadonlySet<Weather['kind']> = new Set(['half-open', 'refuse']);

function badNetwork(about: ProxiedName, name: string, weather: Weather): Scene {
  return {
    name: `network to ${name}: ${Object.values(weather).join(' ')}`,
    about,
    forMs: 5_000,
    ...(about === 'hbase' && CUT_OFF.has(weather.kind) ? { isStoreAway: true } : {}),
    strike: (rig) => rig.turn(about, weather),
    mend: (rig) => rig.turn(about, { kind: 'pass' }),
  };
}

/** A broker that cannot write ends itself, and is started again by whoever runs it when there is room. */
const kafkaDiskFull: Scene = {
  name: 'the disk of Kafka full, and room again',
  about: 'kafka',
  forMs: 8_000,
  needsDisk: true,
  strike: async (rig) => rig.disk('kafka').fill(),
  mend: async (rig) => {
    rig.disk('kafka').free();
    await rig.engines.kafka.engine.start();
  },
};

/** Nothing was acknowledged for so long: the disk was full indeed. */
const REFUSES_FOR_MS = 3_000;

/**
 * An HDFS without room: what HBase has is read, and changes wait, where it is set to wait (`WAITS_FOR_ROOM` of the rig). HBase as
 * it comes ends itself, and does not come back alone; and the log that broke off in the full disk is closed only after the
 * DataNode was restarted (docs/operations.md): so no region server is killed after this.
 */
const hbaseDiskFull: Scene = {
  name: 'the disk of HBase full, and room again',
  about: 'hbase',
  forMs: 10_000,
  needsDisk: true,
  strike: async (rig) => rig.disk('hbase').fill(),
  mend: async (rig) => {
    const silentMs = Date.now() - rig.lastAcknowledgedMs;
    assert.ok(silentMs > REFUSES_FOR_MS, `a change was acknowledged ${silentMs} ms ago`);
    rig.disk('hbase').free();
    await rig.storeTakesChanges();
  },
};

const RESTARTS = ['exit', 'signal', 'stuck'].map(
  (reason) => `quanren_gateway_worker_restarts_total{reason="${reason}"}`,
);

/** How many workers of a gateway were replaced so far. */
async function restartsOf({ victim }: Rig): Promise<number> {
  const counts = await Promise.all(RESTARTS.map((series) => victim.metric(series)));
  return counts.reduce((sum, count) => sum + (Number.isNaN(count) ? 0 : count), 0);
}

function worker(what: WorkerFault): Scene {
  let restartsBefore = 0;
  return {
    name: `a worker ${what}, and is replaced`,
    about: 'gateway',
    forMs: 0,
    hurtsGateway: true,
    strike: async (rig) => {
      restartsBefore = await restartsOf(rig);
      await befall(rig.victim, rig.victim.workers()[0] ?? 0, what);
    },
    mend: async (rig) => {
      const isReplaced = async () =>
        (await restartsOf(rig)) > restartsBefore && (await rig.victim.metric(WORKERS)) === 2;
      await until('the replacement', isReplaced, REPLACED_WITHIN_MS, 50);
    },
  };
}

const HOUR_MS = 3_600_000;

const setClocks = (stepMs: number, name: string): Scene => ({
  name: `clocks of the gateways set ${name} by an hour`,
  about: 'clock',
  forMs: 7_000,
  strike: (rig) => rig.setClocks(stepMs),
  mend: (rig) => rig.setClocks(0),
});

function both(first: Scene, second: Scene): Scene {
  const each = [first, second];
  return {
    name: `${first.name}; with ${second.name}`,
    about: first.about,
    forMs: Math.max(first.forMs, second.forMs),
    ...(each.some(({ hurtsGateway }) => hurtsGateway) ? { hurtsGateway: true } : {}),
    ...(each.some(({ isStoreAway }) => isStoreAway) ? { isStoreAway: true } : {}),
    ...(each.some(({ needsDisk }) => needsDisk) ? { needsDisk: true } : {}),
    strike: async (rig) => {
      await Promise.all(each.map(({ strike }) => strike(rig)));
    },
    mend: async (rig) => {
      await Promise.all(each.map(({ mend }) => mend(rig)));
    },
    check: async (rig) => {
      for (const { check } of each) await check?.(rig);
    },
  };
}

const redisKilled = killed('redis', 'Redis');
const redisPaused = paused('redis', 'Redis');
const kafkaKilled = killed('kafka', 'Kafka');
const kafkaPaused = paused('kafka', 'Kafka');
const hbasePaused = paused('hbase', 'HBase');
const oneKilled = killed('hbase', 'one of two region servers', ['regionserver-2']);
const hbaseKilled = killed('hbase', 'HBase (both region servers)');
const clocksBack = setClocks(-HOUR_MS, 'back');
const clocksAhead = setClocks(HOUR_MS, 'ahead');
const throws = worker('throws');

const killedPostgres = killed('postgres', 'Postgres');
const postgresKilled: Scene = {
  ...killedPostgres,
  strike: async (rig) => {
    await killedPostgres.strike(rig);
    await assert.rejects(rig.switchCrowd('paused'), { code: 'unavailable' });
  },
  check: async (rig) => {
    await rig.switchCrowd('paused');
    await rig.switchCrowd('active');
  },
};

const gatewayKilled: Scene = {
  name: 'a gateway killed (kill -9), and started again',
  about: 'gateway',
  forMs: 1_000,
  hurtsGateway: true,
  strike: (rig) => rig.killVictim(),
  mend: (rig) => rig.startVictim(),
};

/** As a machine that is moved, and for a little longer than what it knows stays fresh: going on, it must see by itself that it slept. */
function gatewayPaused(): Scene {
  let restartsBefore = 0;
  return {
    name: 'a gateway paused (SIGSTOP), and resumed',
    about: 'gateway',
    forMs: 5_500,
    hurtsGateway: true,
    strike: async (rig) => {
      restartsBefore = await restartsOf(rig);
      rig.signalVictim('SIGSTOP');
    },
    mend: async (rig) => rig.signalVictim('SIGCONT'),
    check: async (rig) => {
      await sleep(FINDS_OUT_MS);
      assert.equal(await restartsOf(rig), restartsBefore, 'its workers were taken for dead');
    },
  };
}

const redisEmptied: Scene = {
  name: 'Redis emptied (FLUSHALL)',
  about: 'redis',
  forMs: 0,
  strike: (rig) => rig.flushRedis(),
  mend: async () => {},
};

const SHORT: readonly Scene[] = [redisKilled, redisPaused, kafkaKilled, hbasePaused];

/** One thing goes wrong. */
const SINGLE: readonly Scene[] = [
  ...SHORT.map((scene) => ({ ...scene, isShort: true as const })),
  kafkaPaused,
  paused('hbase', 'one of two region servers', ['regionserver-2']),
  oneKilled,
  hbaseKilled,
  postgresKilled,
  paused('postgres', 'Postgres'),
  gatewayKilled,
  gatewayPaused(),
  throws,
  worker('spins'),
  worker('runs out of memory'),
  redisEmptied,
  kafkaDiskFull,
  clocksBack,
  clocksAhead,
  badNetwork('redis', 'Redis', { kind: 'delay', delayMs: 50 }),
  badNetwork('redis', 'Redis', { kind: 'half-open' }),
  badNetwork('redis', 'Redis', { kind: 'cut', cutAfterBytes: 20_000 }),
  badNetwork('hbase', 'HBase', { kind: 'delay', delayMs: 100 }),
  badNetwork('hbase', 'HBase', { kind: 'half-open' }),
  badNetwork('hbase', 'HBase', { kind: 'cut', cutAfterBytes: 20_000 }),
  badNetwork('hbase', 'HBase', { kind: 'refuse' }),
  badNetwork('kafka', 'Kafka', { kind: 'delay', delayMs: 200 }),
  badNetwork('kafka', 'Kafka', { kind: 'half-open' }),
  badNetwork('kafka', 'Kafka', { kind: 'cut', cutAfterBytes: 20_000 }),
];

/** With two at once that lean on each other: what one is for is away when the other needs it. */
export const SCENES: readonly Scene[] = [
  ...SINGLE,
  both(redisKilled, kafkaKilled),
  both(redisPaused, hbasePaused),
  both(kafkaKilled, hbaseKilled),
  both(postgresKilled, kafkaKilled),
  both(clocksBack, kafkaKilled),
  both(clocksBack, hbaseKilled),
  both(throws, oneKilled),
  hbaseDiskFull,
];

const PAIRED: readonly Scene[] = [
  ...[redisKilled, redisPaused, kafkaKilled, kafkaPaused, hbasePaused, oneKilled, hbaseKilled],
  ...[postgresKilled, gatewayKilled, throws, clocksBack, clocksAhead],
];

/** Every two that can go wrong at once. */
export const PAIRS: readonly Scene[] = PAIRED.flatMap((first, i) =>
  PAIRED.slice(i + 1).flatMap((second) => (first.about === second.about ? [] : [both(first, second)])),
);
