/** A real Redis Cluster of three masters. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import type { RedisLocation } from '../../gateway/cache/redis/redis-location.js';
import type { TestEngine } from './engines.js';
import { locate, startRedis, urlOf } from './redis.js';
import { until } from './until.js';

const MASTERS = 3;
const SLOTS = 16_384;
/** A node that is silent for so long is taken for dead. */
const NODE_TIMEOUT_MS = 1_000;
/** While one of these is 1, a replica that has just got all of its master's entries would have none after a kill. */
const UNWRITTEN = ['aof_rewrite_in_progress', 'aof_rewrite_scheduled'];

export interface RedisCluster {
  readonly location: RedisLocation;
  readonly masters: readonly TestEngine[];
  /** By the place of its master; none where none was wanted. */
  readonly replicas: readonly TestEngine[];
  remove(): Promise<void>;
}

/** Resolves when it takes keys of all slots, and each replica, where they are wanted, has its master's entries. */
export async function startRedisCluster({ hasReplicas = false } = {}): Promise<RedisCluster> {
  const settings = {
    // The log of changes is written at once: a server that replaces another remembers all of it.
    appendfsync: 'always',
    'cluster-enabled': 'yes',
    'cluster-require-full-coverage': 'no',
    'cluster-node-timeout': String(NODE_TIMEOUT_MS),
    // However long a replica has heard nothing of its master, it takes over.
    'cluster-replica-validity-factor': '0',
  };
  const nodes: TestEngine[] = [];
  const remove = async () => {
    for (const node of nodes) await node.remove();
  };
  const admins: Redis[] = [];
  try {
    while (nodes.length < MASTERS * (hasReplicas ? 2 : 1)) {
      nodes.push(await startRedis(settings, { redis: await findFreeClusterPort() }));
    }
    for (const node of nodes) admins.push(adminOf(node));
    await join(admins, nodes);
    return {
      location: locate(urlOf(...nodes), { isCluster: true }),
      masters: nodes.slice(0, MASTERS),
      replicas: nodes.slice(MASTERS),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  } finally {
    for (const admin of admins) admin.disconnect();
  }
}

/** A connection that says nothing of what befalls it; to be disconnected. */
export function adminOf({ engine }: TestEngine): Redis {
  const admin = new Redis({ host: '127.0.0.1', port: engine.ports.redis ?? 0 });
  admin.on('error', () => undefined);
  return admin;
}

async function join(admins: readonly Redis[], nodes: readonly TestEngine[]): Promise<void> {
  for (const [i, admin] of admins.slice(0, MASTERS).entries()) {
    const [first, end] = [i, i + 1].map((part) => Math.ceil((part * SLOTS) / MASTERS)) as [number, number];
    await admin.cluster('ADDSLOTS', ...Array.from({ length: end - first }, (_, slot) => first + slot));
  }
  for (const admin of admins)
    await admin.call('cluster', 'meet', '127.0.0.1', `${nodes[0]?.engine.ports.redis}`);
  for (const admin of admins) {
    await until(
      'the node knows the others, and takes keys',
      async () => {
        const info = String(await admin.cluster('INFO'));
        const knowsAll = info.includes(`cluster_known_nodes:${nodes.length}\r`);
        return knowsAll && info.includes(`cluster_slots_ok:${SLOTS}`) && info.includes('cluster_state:ok');
      },
      20_000,
    );
  }
  for (const [i, admin] of admins.slice(MASTERS).entries()) {
    const master = admins[i];
    assert.ok(master !== undefined);
    await admin.cluster('REPLICATE', String(await master.cluster('MYID')));
    await until(
      'the replica follows, and has begun its log anew with what it got',
      async () => {
        const [link, log] = [await admin.info('replication'), await admin.info('persistence')];
        return (
          link.includes('master_link_status:up') && UNWRITTEN.every((field) => log.includes(`${field}:0`))
        );
      },
      20_000,
    );
  }
}

/** A node listens 10,000 ports further on, too: both are below those that the kernel gives to connections. */
async function findFreeClusterPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 12_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
  throw new Error('There is no pair of free ports.');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)));
  });
}
