import type { TransactionAction } from '@azure/data-tables';
import * as z from 'zod';
import type { FulfilmentRecord } from '../fulfilment/machine.ts';
import { joinText, splitText } from './longText.ts';
import { shardOf, userHash } from './rowKeys.ts';
import type { OpenTable, Row, Table } from './tables.ts';

export type StoredFulfilment<Request, Result> = FulfilmentRecord<Request, Result> & { etag: string };
/** A place in the recovery timer's list; `key` orders the places of a shard, the longest due first. */
export interface DueFulfilment {
  key: string;
  userId: string;
  id: string;
  dueAt: number;
}

export interface FulfilmentsTable<Request, Result> {
  get(userId: string, id: string): Promise<StoredFulfilment<Request, Result> | undefined>;
  /** Writes a record and its place in the list as one: new, or in place of what was read. */
  write(
    after: FulfilmentRecord<Request, Result>,
    before?: StoredFulfilment<Request, Result>,
  ): Promise<StoredFulfilment<Request, Result> | 'conflict'>;
  /** At most `limit` places of one shard that are due by a time (epoch ms), the longest due first: those behind a key if one is given. */
  due(shard: number, by: number, limit: number, behind?: string): Promise<DueFulfilment[]>;
  /** The places of one user. */
  dueOfUser(userId: string): Promise<DueFulfilment[]>;
  /** Takes a place out of the list whose record is not there or says otherwise. */
  forget(place: DueFulfilment): Promise<void>;
}

export const fulfilmentShards = 32;
/** Digits of a time in row keys, so that they sort. */
const timeDigits = 15;

/** Epoch ms as text: a number of that size has no type of its own in a table. */
const time = z.iso.datetime().transform((text) => Date.parse(text));
const iso = (ms: number) => new Date(ms).toISOString();

const schema = z.looseObject({
  userId: z.string(),
  id: z.string(),
  etag: z.string(),
  ...{ state: z.enum(['open', 'completed', 'rejected', 'void']), creator: z.string(), holder: z.string() },
  ...{ createdAt: time, lastAttemptAt: time, recoveries: z.number(), attemptedUntil: time },
  ...{ reported: z.boolean(), eventOwed: z.boolean(), dueAt: time.optional(), settledAt: time.optional() },
});
const placeSchema = z.looseObject({ userId: z.string(), id: z.string(), dueAt: time });

/**
 * Table `Consumes` or `Grants`. Record and place share a partition, one of 32 by user, so that one transaction writes both: the
 * record is never without its place in the list, and the list holds nothing that is settled.
 */
export function fulfilmentsTable<Request, Result>(open: OpenTable, name: string): FulfilmentsTable<Request, Result> {
  const table: Table = open(name);
  return {
    async get(userId, id) {
      const row = await table.get(partitionOf(userId), recordKey(userId, id));
      return row && fromRow<Request, Result>(row);
    },
    async write(after, before) {
      const moved = before?.dueAt !== after.dueAt;
      const actions: TransactionAction[] = [
        before ? ['update', toRow(after), 'Replace', { etag: before.etag }] : ['create', toRow(after)],
      ];
      if (moved && before && before.dueAt !== null) {
        actions.push(['delete', { partitionKey: partitionOf(after.userId), rowKey: placeKey(before, before.dueAt) }]);
      }
      if (moved && after.dueAt !== null) {
        actions.push(['create', place(after, after.dueAt)]);
      }
      const written = await table.transaction(actions);
      return written === 'conflict' ? written : { ...after, etag: written.etag };
    },
    async due(shard, by, limit, behind = 'due.') {
      const until = `due.${String(by + 1).padStart(timeDigits, '0')}`;
      const filter = `PartitionKey eq '${shardName(shard)}' and RowKey gt '${behind}' and RowKey lt '${until}'`;
      return (await table.list(filter, limit)).map(fromPlace);
    },
    async dueOfUser(userId) {
      const range = `RowKey ge 'due.' and RowKey lt 'due/' and userHash eq '${userHash(userId)}'`;
      return (await table.list(`PartitionKey eq '${partitionOf(userId)}' and ${range}`)).map(fromPlace);
    },
    async forget({ userId, key }) {
      await table.remove(partitionOf(userId), key);
    },
  };
}

function partitionOf(userId: string): string {
  return shardName(shardOf(userHash(userId), fulfilmentShards));
}

function shardName(shard: number): string {
  return String(shard).padStart(2, '0');
}

function recordKey(userId: string, id: string): string {
  return `record.${userHash(userId)}.${id}`;
}

function placeKey({ userId, id }: { userId: string; id: string }, dueAt: number): string {
  return `due.${String(dueAt).padStart(timeDigits, '0')}.${userHash(userId)}.${id}`;
}

function place({ userId, id }: { userId: string; id: string }, dueAt: number) {
  const rowKey = placeKey({ userId, id }, dueAt);
  return { partitionKey: partitionOf(userId), rowKey, userHash: userHash(userId), userId, id, dueAt: iso(dueAt) };
}

function fromPlace(row: Row): DueFulfilment {
  const { userId, id, dueAt } = placeSchema.parse(row);
  return { key: row.rowKey, userId, id, dueAt };
}

function toRow<Request, Result>(record: FulfilmentRecord<Request, Result>) {
  const { userId, id, state, creator, holder, recoveries, reported, eventOwed } = record;
  const { request, result, rejection, createdAt, lastAttemptAt, attemptedUntil, dueAt, settledAt } = record;
  return {
    ...{ partitionKey: partitionOf(userId), rowKey: recordKey(userId, id) },
    ...{ userId, id, state, creator, holder, recoveries, reported, eventOwed },
    ...{ createdAt: iso(createdAt), lastAttemptAt: iso(lastAttemptAt), attemptedUntil: iso(attemptedUntil) },
    ...(dueAt !== null && { dueAt: iso(dueAt) }),
    ...(settledAt !== null && { settledAt: iso(settledAt) }),
    ...splitText('content', JSON.stringify({ request, result, rejection })),
  };
}

function fromRow<Request, Result>(row: Row): StoredFulfilment<Request, Result> {
  const columns = schema.parse(row);
  const { request, result, rejection } = JSON.parse(joinText('content', row));
  const { userId, id, etag, state, creator, holder, createdAt, lastAttemptAt, recoveries } = columns;
  return {
    ...{ userId, id, etag, state, creator, holder, createdAt, lastAttemptAt, recoveries },
    ...{ reported: columns.reported, attemptedUntil: columns.attemptedUntil, eventOwed: columns.eventOwed },
    ...{ dueAt: columns.dueAt ?? null, settledAt: columns.settledAt ?? null, request, result, rejection },
  };
}
