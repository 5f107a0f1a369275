/**
 * The log of the embedded bus in LMDB: one environment that the processes of one machine share. A commit is synced to
 * disk before its promise resolves, so an acknowledged message survives a killed process and a power loss.
 *
 * Five tables:
 *   log      [topic, partition, offset] → record, see below
 *   heads    [topic, partition] → the next offset and the time of the last message; times never run backwards
 *   newest   [topic, partition, key] → offset; for compacted topics only
 *   groups   [group, topic] → who holds the topic for the group, and the committed offset of each partition
 *   claims   role → the number of its newest claim
 *
 * A record: timestampMs f64 BE · keyLength u16 BE · hasValue u8 · key UTF-8 · value UTF-8
 *
 * Retention needs no timer: who appends to a partition removes some of what has expired there. On a compacted topic
 * a message removes the one before it with its key; tombstones stay.
 */
import path from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { isDiskFull, leaveToTransaction, lmdbFailure } from '../../errors/lmdb-failure.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { EncodedMessage } from '../message-checks.js';
import { type TopicName, topicSpec } from '../topics.js';

/** Address space, not disk: the file grows as it is filled. */
const MAP_SIZE_BYTES = 2 ** 37;
const MAX_READERS = 512;
/** Expired messages removed at one append, beside one for each that is appended. */
const TRIMMED_PER_APPEND = 100;
/** Groups that nobody used for this long are forgotten, with their offsets. */
const GROUP_RETENTION_MS = 7 * 24 * 3_600_000;

export interface LogRecord extends EncodedMessage {
  readonly offset: number;
  readonly timestampMs: number;
}

interface Head {
  readonly nextOffset: number;
  readonly lastTimestampMs: number;
}

/** A group's hold on a topic. */
export interface Hold {
  /** A consumer's id; empty where it was given back. */
  readonly owner: string;
  readonly pid: number;
  readonly expiresAtMs: number;
  /** By partition: the offset of the first message not yet handled. */
  readonly committed: readonly number[];
}

/** The right to publish in a role, until somebody claims it anew. */
export interface Claim {
  readonly role: string;
  readonly number: number;
}

type PartitionKey = [topic: string, partition: number];

function encodeRecord(timestampMs: number, { key, value }: EncodedMessage): Buffer {
  const keyBytes = Buffer.from(key);
  const head = Buffer.allocUnsafe(11);
  head.writeDoubleBE(timestampMs, 0);
  head.writeUInt16BE(keyBytes.length, 8);
  head.writeUInt8(value === null ? 0 : 1, 10);
  return Buffer.concat(value === null ? [head, keyBytes] : [head, keyBytes, value]);
}

function decodeRecord(offset: number, bytes: Buffer): LogRecord {
  const valueAt = 11 + bytes.readUInt16BE(8);
  return {
    offset,
    timestampMs: bytes.readDoubleBE(0),
    key: bytes.toString('utf8', 11, valueAt),
    value: bytes.readUInt8(10) === 0 ? null : bytes.subarray(valueAt),
  };
}

export class Log {
  readonly #root: RootDatabase;
  readonly #log: Database<Buffer, [...PartitionKey, number]>;
  readonly #heads: Database<Head, PartitionKey>;
  readonly #newest: Database<number, [...PartitionKey, string]>;
  readonly #groups: Database<Hold, [group: string, topic: string]>;
  readonly #claims: Database<number, string>;

  /** Opens `<folder>/bus.mdb`, which it makes if it is not there. Throws `set_up`. */
  constructor(folder: string) {
    try {
      this.#root = open({
        path: path.join(folder, 'bus.mdb'),
        overlappingSync: false,
        // Every write is in a transaction; and where a batch of a turn fails, lmdb rejects a promise that nobody can take.
        eventTurnBatching: false,
        mapSize: MAP_SIZE_BYTES,
        maxReaders: MAX_READERS,
      });
      this.#log = this.#root.openDB('log', { encoding: 'binary' });
      this.#heads = this.#root.openDB('heads', { encoding: 'json' });
      this.#newest = this.#root.openDB('newest', { encoding: 'json' });
      this.#groups = this.#root.openDB('groups', { encoding: 'json' });
      this.#claims = this.#root.openDB('claims', { encoding: 'json' });
    } catch (cause) {
      throw new QuanrenError('set_up', `The event bus in ${folder} cannot be opened.`, { cause });
    }
  }

  /** Runs `change` in one write transaction; resolves when it is durable. `change` must not throw half-way. */
  async transact<T>(change: () => T): Promise<T> {
    try {
      return await this.#root.transaction(change);
    } catch (cause) {
      if (cause instanceof QuanrenError) throw cause;
      const failure = await lmdbFailure(cause);
      const why = isDiskFull(failure) ? ': its disk is full' : '';
      throw new QuanrenError('unavailable', `The event bus could not be written${why}.`, { cause: failure });
    }
  }

  /** Reads after this see what other processes committed before it. */
  refresh(): void {
    this.#root.resetReadTxn();
  }

  /** Inside a transaction: appends to one partition. */
  append(topic: TopicName, partition: number, messages: readonly EncodedMessage[], nowMs: number): void {
    const head = this.#heads.get([topic, partition]);
    const timestampMs = Math.max(nowMs, head?.lastTimestampMs ?? 0);
    const { isCompacted, keptMs } = topicSpec(topic);
    let offset = head?.nextOffset ?? 0;
    for (const message of messages) {
      leaveToTransaction(this.#log.put([topic, partition, offset], encodeRecord(timestampMs, message)));
      if (isCompacted) this.#replaceNewest(topic, partition, message.key, offset);
      offset += 1;
    }
    leaveToTransaction(
      this.#heads.put([topic, partition], { nextOffset: offset, lastTimestampMs: timestampMs }),
    );
    if (keptMs !== undefined) {
      const expired = this.#trim(
        topic,
        partition,
        timestampMs - keptMs,
        TRIMMED_PER_APPEND + messages.length,
      );
      if (isCompacted) for (const record of expired) this.#forgetNewest(topic, partition, record);
    }
  }

  #replaceNewest(topic: TopicName, partition: number, key: string, offset: number): void {
    const before = this.#newest.get([topic, partition, key]);
    if (before !== undefined) leaveToTransaction(this.#log.remove([topic, partition, before]));
    leaveToTransaction(this.#newest.put([topic, partition, key], offset));
  }

  #forgetNewest(topic: TopicName, partition: number, { key, offset }: LogRecord): void {
    if (this.#newest.get([topic, partition, key]) === offset)
      leaveToTransaction(this.#newest.remove([topic, partition, key]));
  }

  /** Returns what it has removed. */
  #trim(topic: TopicName, partition: number, olderThanMs: number, atMost: number): readonly LogRecord[] {
    const expired: LogRecord[] = [];
    for (const record of this.#records(topic, partition, 0, atMost)) {
      if (record.timestampMs >= olderThanMs) break;
      expired.push(record);
    }
    for (const { offset } of expired) leaveToTransaction(this.#log.remove([topic, partition, offset]));
    return expired;
  }

  *#records(topic: TopicName, partition: number, from: number, limit: number): Generator<LogRecord> {
    const start: [...PartitionKey, number] = [topic, partition, from];
    const end: [...PartitionKey, number] = [topic, partition, Number.MAX_SAFE_INTEGER];
    for (const { key, value } of this.#log.getRange({ start, end, limit })) {
      yield decodeRecord(key[2], value);
    }
  }

  /** The offset that the next message will get. */
  nextOffset(topic: TopicName, partition: number): number {
    return this.#heads.get([topic, partition])?.nextOffset ?? 0;
  }

  /**
   * Messages from `from` on, at most `maxCount`, and no more once `maxBytes` is reached. `next` is where to go on: it
   * passes over what retention and compaction removed.
   */
  read(
    topic: TopicName,
    partition: number,
    from: number,
    maxCount: number,
    maxBytes: number,
  ): { readonly records: readonly LogRecord[]; readonly next: number; readonly sizeBytes: number } {
    // Before the records: what is appended in between has this offset or a greater one.
    const end = this.nextOffset(topic, partition);
    const records: LogRecord[] = [];
    let sizeBytes = 0;
    for (const record of this.#records(topic, partition, from, maxCount)) {
      records.push(record);
      sizeBytes += record.value?.length ?? 0;
      if (sizeBytes >= maxBytes) break;
    }
    const last = records.at(-1);
    const full = records.length === maxCount || sizeBytes >= maxBytes;
    if (last !== undefined && (full || last.offset >= end))
      return { records, next: last.offset + 1, sizeBytes };
    return { records, next: Math.max(from, end), sizeBytes };
  }

  /** The offset of the first message taken at `timestampMs` or later; the next offset where there is none. */
  offsetAt(topic: TopicName, partition: number, timestampMs: number): number {
    let low = 0;
    let high = this.nextOffset(topic, partition);
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      // The first message at `middle` or, over a gap, behind it.
      const [record] = this.#records(topic, partition, middle, 1);
      if (record === undefined || record.timestampMs >= timestampMs) high = middle;
      else low = record.offset + 1;
    }
    return low;
  }

  hold(group: string, topic: TopicName): Hold | undefined {
    return this.#groups.get([group, topic]);
  }

  /** Inside a transaction. */
  setHold(group: string, topic: TopicName, hold: Hold): void {
    leaveToTransaction(this.#groups.put([group, topic], hold));
  }

  /** Inside a transaction: forgets the groups that nobody used for a week. */
  forgetOldGroups(nowMs: number): void {
    const old = [...this.#groups.getRange()].filter(
      ({ value }) => value.expiresAtMs < nowMs - GROUP_RETENTION_MS,
    );
    for (const { key } of old) leaveToTransaction(this.#groups.remove(key));
  }

  /** Inside a transaction. */
  claim(role: string): Claim {
    const claim = { role, number: (this.#claims.get(role) ?? 0) + 1 };
    leaveToTransaction(this.#claims.put(role, claim.number));
    return claim;
  }

  /** Inside a transaction, before it changes anything: throws `conflict` where the role was claimed anew. */
  refuseOldClaim({ role, number }: Claim): void {
    if (this.#claims.get(role) === number) return;
    throw new QuanrenError('conflict', `Another process publishes as '${role}' now.`);
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}
