/**
 * A repair of kafkajs 2.2.4, without which a consumer stops for ever, fetching as fast as it can.
 *
 * Compaction takes messages out of a record batch and leaves the batch where it was, with the offsets that it spans; of
 * the last batch of a writer it leaves the head even without any message. kafkajs goes on behind the last message that it
 * gets. Where a segment of the log ends in batches without messages, it gets none and asks for the same offset again.
 *
 * So each batch that spans more than its last message gets a mark at its last offset, of the kind that ends a transaction:
 * kafkajs passes it over, and moves on. Its decoder of batches is replaced in Node's cache of modules; kafkajs looks for
 * it at the first fetch. `kafka-compaction.test.ts` holds it to a real broker.
 */
import { createRequire } from 'node:module';

interface BatchRecord {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: string;
  readonly headers: Readonly<Record<string, never>>;
  readonly isControlRecord: boolean;
  readonly batchContext: object;
}

interface RecordBatch {
  readonly firstOffset: string;
  /** From the first offset to the last that the batch spans. */
  readonly lastOffsetDelta: number;
  readonly maxTimestamp: string;
  readonly records: BatchRecord[];
}

type DecodeBatch = (decoder: unknown) => Promise<RecordBatch>;

const require = createRequire(import.meta.url);
const file = require.resolve('kafkajs/src/protocol/recordBatch/v0/decoder.js');
const decodeBatch = require(file) as DecodeBatch;

const decodeWholeBatch: DecodeBatch = async (decoder) => {
  const { records, ...context } = await decodeBatch(decoder);
  const lastOffset = String(BigInt(context.firstOffset) + BigInt(context.lastOffsetDelta));
  if (records.at(-1)?.offset === lastOffset) return { ...context, records };
  const mark: BatchRecord = {
    offset: lastOffset,
    key: null,
    value: null,
    timestamp: context.maxTimestamp,
    headers: {},
    isControlRecord: true,
    batchContext: context,
  };
  return { ...context, records: [...records, mark] };
};

const loaded = require.cache[file];
if (loaded !== undefined) loaded.exports = decodeWholeBatch;
