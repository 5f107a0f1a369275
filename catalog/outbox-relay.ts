/**
 * Carries the outbox to the event bus: at least once, in order per key.
 *
 * States: connecting → standby (another relay is active) → active → after any failure, a pause and connecting again.
 * An advisory lock says who is active. It is held by the connection that reads and deletes the messages, and ends with
 * it; but what a relay had sent by then may still be on its way to the bus, or in a process that sleeps. So the holder
 * of the lock claims the role at the bus before it reads, and the bus refuses what earlier holders send: no message
 * lands behind a newer one of its key that a later holder sent. A relay deletes messages only after the bus has
 * acknowledged them, so one that dies in between sends them again. NOTIFY wakes it; a slow timer covers a notice that
 * was missed.
 */
import pg from 'pg';
import { backOffMs } from '../errors/back-off.js';
import { sessionOptions } from './database.js';
import type { PostgresConnection } from './embedded-postgres.js';

const RELAY_LOCK = 7_118_002;
const BATCH = 500;
const STANDBY_MS = 1_000;
const IDLE_MS = 5_000;
const BUS_DEADLINE_MS = 30_000;
const END_DEADLINE_MS = 1_000;
const PAUSE = { firstMs: 100, longestMs: 3_000 };

export interface OutboxMessage {
  readonly key: string;
  /** A JSON value; null is a tombstone. */
  readonly value: unknown;
}

/** Resolves when the bus has the messages for good. They are of one topic, in order. */
export type OutboxPublish = (topic: string, messages: readonly OutboxMessage[]) => Promise<void>;

export interface OutboxRelayOptions {
  readonly connection: PostgresConnection;
  readonly zone: string;
  /** Resolves with a way to publish; from then on the bus refuses what an earlier one sends. */
  readonly claim: () => Promise<OutboxPublish>;
  /** Hears of each failure; the relay goes on by itself. */
  readonly onError: (error: unknown) => void;
}

export interface OutboxRelay {
  /** Resolves when the batch in hand is done and the connection closed. */
  close(): Promise<void>;
}

export function startOutboxRelay(options: OutboxRelayOptions): OutboxRelay {
  const bell = new Bell();
  const stop = new AbortController();
  const done = keepRelaying(options, bell, stop.signal);
  return {
    close: () => {
      stop.abort();
      bell.ring();
      return done;
    },
  };
}

async function keepRelaying(options: OutboxRelayOptions, bell: Bell, stop: AbortSignal): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    try {
      await relayOverOneConnection(options, bell, stop, () => {
        failures = 0;
      });
    } catch (error) {
      options.onError(error);
      failures += 1;
      await bell.wait(backOffMs(PAUSE, failures), stop);
    }
  }
}

async function relayOverOneConnection(
  { connection, zone, claim }: OutboxRelayOptions,
  bell: Bell,
  stop: AbortSignal,
  onSuccess: () => void,
): Promise<void> {
  const client = new pg.Client(sessionOptions(connection, zone));
  const lost = new Promise<never>((_, reject) => {
    // There may be two: why the server ends the connection, and that it has.
    client.on('error', reject);
    client.once('end', () => reject(new Error('The connection of the outbox relay ended.')));
  });
  lost.catch(() => undefined);
  client.on('notification', () => bell.ring());
  try {
    await client.connect();
    await client.query('LISTEN quanren_outbox');
    while (!stop.aborted && !(await tryLock(client))) await Promise.race([bell.wait(STANDBY_MS, stop), lost]);
    if (stop.aborted) return;
    const publish = await within(BUS_DEADLINE_MS, claim());
    while (!stop.aborted) {
      const sent = await Promise.race([relayBatch(client, publish), lost]);
      onSuccess();
      if (sent === 0) await Promise.race([bell.wait(IDLE_MS, stop), lost]);
    }
  } finally {
    await within(END_DEADLINE_MS, client.end()).catch(() => undefined);
  }
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ is_held: boolean }>('SELECT pg_try_advisory_lock($1) AS is_held', [
    RELAY_LOCK,
  ]);
  return rows[0]?.is_held === true;
}

interface OutboxRow {
  readonly message_id: string;
  readonly topic: string;
  readonly key: string;
  readonly payload: string | null;
}

/** Sends the oldest messages; returns how many. */
async function relayBatch(client: pg.Client, publish: OutboxPublish): Promise<number> {
  const { rows } = await client.query<OutboxRow>({
    name: 'read_outbox',
    text: 'SELECT message_id::text, topic, key, payload FROM outbox ORDER BY outbox.message_id LIMIT $1',
    values: [BATCH],
  });
  for (const run of splitByTopic(rows)) {
    const messages = run.rows.map(({ key, payload }) => ({
      key,
      value: payload === null ? null : (JSON.parse(payload) as unknown),
    }));
    await within(BUS_DEADLINE_MS, publish(run.topic, messages));
    // These and no others: a message with a smaller number may be committed any moment.
    await client.query({
      name: 'delete_outbox',
      text: 'DELETE FROM outbox WHERE message_id = ANY ($1::bigint[])',
      values: [run.rows.map((row) => row.message_id)],
    });
  }
  return rows.length;
}

/** Neighbours of one topic together, in order. */
function splitByTopic(rows: readonly OutboxRow[]): { topic: string; rows: OutboxRow[] }[] {
  const runs: { topic: string; rows: OutboxRow[] }[] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last?.topic === row.topic) last.rows.push(row);
    else runs.push({ topic: row.topic, rows: [row] });
  }
  return runs;
}

async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Wakes who waits; a ring that nobody waits for is kept for the next one. */
class Bell {
  #isRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  async wait(atMostMs: number, stop: AbortSignal): Promise<void> {
    if (!this.#isRung && !stop.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, atMostMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#isRung = false;
  }
}
