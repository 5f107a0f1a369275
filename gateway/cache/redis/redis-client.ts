/**
 * The connection to Redis (one server, a cluster, or what sentinels name), and scripts run over it. Every call is bounded
 * in time, and their number too; while Redis is away (breaker.ts) they fail at once. ioredis connects, again after each
 * loss, follows slots and masters; it neither queues nor repeats anything for us. It is loaded when there is a Redis.
 *
 * What fails is told as a plain sentence: ioredis' errors carry the command, and AUTH carries the password.
 */
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { backOffMs } from '../../../errors/back-off.js';
import { Breaker } from './breaker.js';
import { type RedisLocation, readTlsOptions } from './redis-location.js';
import { LOOK, type Script } from './scripts.js';

export interface RedisClientOptions {
  readonly location: RedisLocation;
  /** What a call takes at most. */
  readonly timeoutMs: number;
  /** Why Redis is away; undefined when it is back. Each state once. */
  readonly onChange: (reason: string | undefined) => void;
}

/** What one master says of itself: its replication id and its time in epoch milliseconds. */
export interface MasterLook {
  readonly id: string;
  readonly timeMs: number;
}

const CONNECT_WITHIN_MS = 1_000;
/** A connection on which nothing comes while something is asked is given up. */
const SILENT_MS = 1_000;
const RECONNECT = { firstMs: 100, longestMs: 1_000 };
const MAX_CALLS = 1_024;
/** Times that a cluster may send one command elsewhere. */
const MAX_REDIRECTIONS = 3;

const CLOSED = 'the connection was closed';
/** What ioredis says of a command for which there is no connection: a consequence, and not the cause. */
const NOT_CONNECTED = "Stream isn't writeable and enableOfflineQueue options is false";
/** How it begins to speak of bytes that are none of Redis' protocol. */
const NOT_REDIS = 'Protocol error';

type Argument = string | number | Buffer;

export class RedisClient {
  #redis: Redis | Cluster | undefined;
  readonly #timeoutMs: number;
  readonly #breaker: Breaker;
  #calls = 0;
  #isClosed = false;
  /** What the connection last complained of: it says more than that it is closed. */
  #complaint = 'it is being connected to';

  /** Connects in the background. Throws `set_up` where the files of the location do not do. */
  constructor({ location, timeoutMs, onChange }: RedisClientOptions) {
    this.#timeoutMs = timeoutMs;
    this.#breaker = new Breaker({
      probe: async () => {
        try {
          await this.#within(this.#lookAtAll());
        } catch (error) {
          throw new Error(this.#whatWentWrong(error));
        }
      },
      onChange: (reason) => {
        if (reason === undefined) this.#complaint = CLOSED;
        onChange(reason);
      },
      now: () => performance.now(),
    });
    void this.#connect(location, readTlsOptions(location));
  }

  get isAway(): boolean {
    return this.#breaker.isOpen;
  }

  /** The answer, its texts as Buffers. Rejects when Redis is away, silent, or does not run the script. */
  run({ lua, sha }: Script, keys: readonly Argument[], args: readonly Argument[]): Promise<unknown> {
    return this.#call(async () => {
      const rest = [keys.length, ...keys, ...args];
      const redis = this.#connected();
      try {
        return await redis.callBuffer('evalsha', sha, ...rest);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        return await redis.callBuffer('eval', lua, ...rest);
      }
    });
  }

  /** Every master, or all of it rejects. */
  look(): Promise<MasterLook[]> {
    return this.#call(() => this.#lookAtAll());
  }

  close(): void {
    this.#isClosed = true;
    this.#breaker.end();
    this.#redis?.disconnect();
  }

  async #connect(location: RedisLocation, authorities: { ca?: Buffer }): Promise<void> {
    const ioredis = await import('ioredis');
    if (this.#isClosed) return;
    const redis = createConnection(ioredis, location, authorities);
    this.#redis = redis;
    redis.on('error', (error: Error) => {
      this.#complaint = this.#whatWentWrong(error);
    });
    redis.on('ready', () => this.#breaker.hurry());
    redis.on('close', () => this.#breaker.fail(this.#complaint));
  }

  #connected(): Redis | Cluster {
    if (this.#redis?.status !== 'ready') throw new Error(this.#complaint);
    return this.#redis;
  }

  async #lookAtAll(): Promise<MasterLook[]> {
    const redis = this.#connected();
    if ('nodes' in redis) {
      const masters = redis.nodes('master');
      const all = <T>(ask: (master: Redis) => Promise<T>) => Promise.all(masters.map(ask));
      const [looks] = await Promise.all([all(lookAt), all(assertServes)]);
      if (looks.length > 0 && looks.every((each) => each !== undefined)) return looks;
    } else {
      const look = await lookAt(redis);
      if (look !== undefined) return [look];
      // Where a master was replaced, a new connection goes to the one that there is now; a cluster tells by itself.
      redis.disconnect(true);
    }
    throw new Error('it is no master');
  }

  #whatWentWrong(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    if (message.startsWith(NOT_REDIS)) return 'what answers there is not Redis';
    // Redis repeats a command that it does not know, and the keys of ours hold uids.
    return message === NOT_CONNECTED ? this.#complaint : message.replace(/, with args .*$/s, '');
  }

  async #call<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#breaker.isOpen) throw new Error('Redis is away.');
    if (this.#calls >= MAX_CALLS) throw new Error(`More than ${MAX_CALLS} calls wait for Redis.`);
    this.#calls += 1;
    try {
      return await this.#within(ask());
    } catch (error) {
      this.#breaker.fail(this.#whatWentWrong(error));
      throw error;
    } finally {
      this.#calls -= 1;
    }
  }

  async #within<T>(asked: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const give = () => reject(new Error(`it did not answer within ${this.#timeoutMs} ms`));
      // If it was this process that was late, the answer may lie there, and is read first.
      timer = setTimeout(() => setImmediate(give), this.#timeoutMs);
    });
    try {
      return await Promise.race([asked, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** undefined: it is no master. */
async function lookAt(master: Redis): Promise<MasterLook | undefined> {
  const answer = (await master.call('eval', LOOK.lua, 0)) as [string, number] | null;
  return answer === null ? undefined : { id: answer[0], timeMs: answer[1] };
}

/** A node of a cluster answers scripts without keys also while it takes no keys: cut off, or back for a moment only. */
async function assertServes(node: Redis): Promise<void> {
  const info = String(await node.cluster('INFO'));
  if (!info.includes('cluster_state:ok')) throw new Error('its cluster is down');
}

function reconnectInMs(attempts: number): number {
  return backOffMs(RECONNECT, attempts);
}

function createConnection(
  { Redis, Cluster }: Pick<typeof import('ioredis'), 'Redis' | 'Cluster'>,
  location: RedisLocation,
  authorities: { ca?: Buffer },
): Redis | Cluster {
  const { kind, nodes, username, password, database, tls, sentinelName, sentinelPassword } = location;
  const secure = tls === undefined ? {} : { tls: authorities };
  const common = {
    ...secure,
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    connectTimeout: CONNECT_WITHIN_MS,
    socketTimeout: SILENT_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    disableClientInfo: true,
  } satisfies RedisOptions;
  if (kind === 'cluster') {
    return new Cluster([...nodes], {
      redisOptions: common,
      enableOfflineQueue: false,
      maxRedirections: MAX_REDIRECTIONS,
      clusterRetryStrategy: reconnectInMs,
    });
  }
  const alone = { ...common, db: database, enableOfflineQueue: false, retryStrategy: reconnectInMs };
  if (kind === 'server') return new Redis({ ...alone, ...nodes[0] });
  return new Redis({
    ...alone,
    sentinels: [...nodes],
    name: sentinelName,
    sentinelRetryStrategy: reconnectInMs,
    ...(sentinelPassword === '' ? {} : { sentinelPassword }),
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: secure.tls }),
  });
}
