import { createHash } from 'node:crypto';
import type { TransactionAction } from '@azure/data-tables';
import * as z from 'zod';
import type { EventInput } from '../contract/eventTypes.ts';
import { chunksOf } from '../lib/chunks.ts';
import { inParallel } from '../lib/inParallel.ts';
import { createLongTexts } from './longText.ts';
import { shardOf } from './rowKeys.ts';
import { type OpenTable, type Row, transactionLimit } from './tables.ts';

/** A CloudEvent 1.0 as it was stored (http-api.md 2.10). */
export interface StoredEvent {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  time: string;
  subject?: string;
  data: unknown;
}

export interface EventsTable {
  /** Stores an event once for each cause, even if it was acknowledged since. */
  put(input: EventInput): Promise<void>;
  /** Unacknowledged events, the oldest first, at most `limit`. */
  oldest(limit: number): Promise<StoredEvent[]>;
  /** How many of these it removed; fewer if the answer of a removal was lost and it had to be repeated. */
  acknowledge(ids: string[]): Promise<number>;
}

const source = '/microsoft-store-functions';
const shards = 8;
const stored = z.looseObject({
  id: z.string(),
  type: z.string(),
  time: z.string(),
  subject: z.string().optional(),
});
const idPattern = /^\d{15}-[0-9a-f]{32}$/;
/** Where the hash of the cause starts in an id. It decides the partition. */
const hashOffset = 16;
const removalsAtOnce = 16;

/**
 * Table `Events`, the outbox: 8 partitions by cause, rows by time. `seen` rows stay, so that a late recovery cannot create an
 * acknowledged event again; so do the rows of data that is too long for its event's row.
 */
export function createEventsTable(openTable: OpenTable): EventsTable {
  const table = openTable('Events');
  const texts = createLongTexts(table);
  /** Removes events of one partition: in one transaction if all of them exist, else one by one. */
  const removeAll = async (ids: string[]): Promise<number> => {
    const rows = ids.map((id) => ({ partitionKey: partitionOf(id.slice(hashOffset)), rowKey: `event.${id}` }));
    if ((await table.transaction(rows.map((row): TransactionAction => ['delete', row]))) !== 'conflict')
      return ids.length;
    const removed = await inParallel(rows, removalsAtOnce, (row) => table.remove(row.partitionKey, row.rowKey));
    return removed.filter(Boolean).length;
  };

  return {
    async put(input) {
      const { seen, event } = eventRows(input);
      const data = await texts.write(event, 'data', JSON.stringify(input.data));
      // A conflict: the event was made before.
      await table.transaction([
        ['create', seen],
        ['create', { ...event, ...data }],
      ]);
    },
    async oldest(limit) {
      const range = "RowKey ge 'event.' and RowKey lt 'event/'";
      const found = await Promise.all(
        Array.from({ length: shards }, (_, shard) => table.list(`PartitionKey eq '${shard}' and ${range}`, limit)),
      );
      const oldest = found
        .flat()
        .sort((a, b) => (a.rowKey < b.rowKey ? -1 : 1))
        .slice(0, limit);
      return Promise.all(oldest.map(async (row) => eventFromRow(row, await texts.read(row, 'data'))));
    },
    async acknowledge(ids) {
      const known = [...new Set(ids)].filter((id) => idPattern.test(id));
      const batches = Array.from({ length: shards }, (_, shard) => String(shard)).flatMap((partition) =>
        chunksOf(
          known.filter((id) => partitionOf(id.slice(hashOffset)) === partition),
          transactionLimit,
        ),
      );
      const removed = await inParallel(batches, shards, removeAll);
      return removed.reduce((sum, count) => sum + count, 0);
    },
  };
}

/** The row of an event, but for its data, and the one that remembers its cause. */
function eventRows({ type, cause, at, subject }: EventInput) {
  const hash = createHash('sha256')
    .update(JSON.stringify([type, ...cause]))
    .digest('hex')
    .slice(0, 32);
  const id = `${String(at).padStart(15, '0')}-${hash}`;
  const partitionKey = partitionOf(hash);
  const event = {
    partitionKey,
    rowKey: `event.${id}`,
    id,
    type,
    time: new Date(at).toISOString(),
    ...(subject !== undefined && { subject }),
  };
  return { seen: { partitionKey, rowKey: `seen.${hash}` }, event };
}

function eventFromRow(row: Row, text: string): StoredEvent {
  const { id, type, time, subject } = stored.parse(row);
  const data: unknown = JSON.parse(text);
  return { specversion: '1.0', id, source, type, time, ...(subject !== undefined && { subject }), data };
}

function partitionOf(hash: string): string {
  return String(shardOf(hash, shards));
}
