/** What goes wrong: how it begins and how it ends. A scene is mended when what it hurt answers again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineName, Rig } from './rig.js';

export interface Scene {
  readonly name: string;
  /** Part of `npm test`; the rest runs with `npm run test:faults`. */
  readonly isShort?: true;
  /** How long it lasts before it is mended. */
  readonly forMs: number;
  /** Whether users who are cached may be refused while it lasts: only where no gateway is left to answer. */
  readonly isGatewayHurt?: true;
  readonly strike: (rig: Rig) => Promise<void>;
  readonly mend: (rig: Rig) => Promise<void>;
}

const FINDS_OUT_MS = 3_000;

/** By engine, the processes that a fault is about. */
const PROCESSES: Readonly<Record<EngineName, readonly string[]>> = {
  hbase: ['regionserver-1', 'regionserver-2'],
  kafka: ['kafka'],
  redis: ['redis'],
};

function killed(engine: EngineName, names: readonly string[], name: string, isShort?: true): Scene {
  return {
    name: `${name} killed (kill -9), and started again`,
    ...(isShort === undefined ? {} : { isShort }),
    forMs: 5_000,
    strike: async ({ engines }) => {
      await Promise.all(names.map((each) => engines[engine].engine.process(each).kill()));
    },
    mend: async (rig) => {
      await rig.engines[engine].engine.start();
      if (engine === 'hbase') await rig.storeServes();
    },
  };
}

function paused(engine: EngineName, names: readonly string[], name: string, isShort?: true): Scene {
  return {
    name: `${name} paused (SIGSTOP), and resumed`,
    ...(isShort === undefined ? {} : { isShort }),
    forMs: 2_000,
    strike: async ({ engines }) => {
      await Promise.all(names.map((each) => engines[engine].engine.process(each).pause()));
    },
    mend: async (rig) => {
      const { engines } = rig;
      await Promise.all(names.map((each) => engines[engine].engine.process(each).resume()));
      if (engine !== 'hbase') return;
      // A region server that was taken for dead meanwhile finds that out, and ends itself: whoever runs it starts it again.
      await sleep(FINDS_OUT_MS);
      await engines.hbase.engine.start();
      await rig.storeServes();
    },
  };
}

function badNetwork(engine: EngineName, name: string, weather: Parameters<Rig['turn']>[1]): Scene {
  return {
    name: `network to ${name}: ${Object.values(weather).join(' ')}`,
    forMs: 5_000,
    strike: async (rig) => rig.turn(engine, weather),
    mend: async (rig) => rig.turn(engine, { kind: 'pass' }),
  };
}

const HOUR_MS = 3_600_000;

const setClocks = (stepMs: number, name: string): Scene => ({
  name: `clocks of the gateways set ${name} by an hour`,
  forMs: 7_000,
  strike: (rig) => rig.setClocks(stepMs),
  mend: (rig) => rig.setClocks(0),
});

const both = (first: Scene, second: Scene): Scene => ({
  name: `${first.name}; and ${second.name}`,
  forMs: Math.max(first.forMs, second.forMs),
  strike: async (rig) => {
    await Promise.all([first.strike(rig), second.strike(rig)]);
  },
  mend: async (rig) => {
    await Promise.all([first.mend(rig), second.mend(rig)]);
  },
});

const redisKilled = killed('redis', PROCESSES.redis, 'Redis', true);
const redisPaused = paused('redis', PROCESSES.redis, 'Redis', true);
const kafkaKilled = killed('kafka', PROCESSES.kafka, 'Kafka', true);
const kafkaPaused = paused('kafka', PROCESSES.kafka, 'Kafka');
const hbasePaused = paused('hbase', PROCESSES.hbase, 'HBase', true);
const oneKilled = killed('hbase', ['regionserver-2'], 'one of two region servers');
const hbaseKilled = killed('hbase', PROCESSES.hbase, 'HBase (both region servers)');

export const SCENES: readonly Scene[] = [
  redisKilled,
  redisPaused,
  kafkaKilled,
  kafkaPaused,
  hbasePaused,
  oneKilled,
  hbaseKilled,
  {
    name: 'a gateway killed (kill -9), and started again',
    forMs: 0,
    isGatewayHurt: true,
    strike: async () => {},
    mend: (rig) => rig.restartGateway(),
  },
  {
    name: 'Redis emptied (FLUSHALL)',
    forMs: 0,
    strike: (rig) => rig.flushRedis(),
    mend: async () => {},
  },
  setClocks(-HOUR_MS, 'back'),
  setClocks(HOUR_MS, 'ahead'),
  both(setClocks(-HOUR_MS, 'back'), kafkaKilled),
  badNetwork('redis', 'Redis', { kind: 'delay', delayMs: 50 }),
  badNetwork('redis', 'Redis', { kind: 'half-open' }),
  badNetwork('redis', 'Redis', { kind: 'cut', cutAfterBytes: 20_000 }),
  badNetwork('hbase', 'HBase', { kind: 'delay', delayMs: 100 }),
  badNetwork('hbase', 'HBase', { kind: 'half-open' }),
  badNetwork('hbase', 'HBase', { kind: 'cut', cutAfterBytes: 20_000 }),
  badNetwork('hbase', 'HBase', { kind: 'refuse' }),
  badNetwork('kafka', 'Kafka', { kind: 'delay', delayMs: 200 }),
  badNetwork('kafka', 'Kafka', { kind: 'half-open' }),
  both(redisKilled, kafkaKilled),
  both(redisPaused, hbasePaused),
  both(kafkaKilled, hbaseKilled),
];
