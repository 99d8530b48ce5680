import {
  cursorOf,
  type PendingItem,
  type PendingKind,
  type PendingPage,
  type PendingPosition,
} from '../contract/pending.ts';
import { chunksOf } from '../lib/chunks.ts';
import { inParallel } from '../lib/inParallel.ts';
import { type DueEntry, type FulfilmentsTable, fulfilmentShards } from '../state/fulfilments.ts';

export interface PendingQuery {
  /** Default: both. */
  kind?: PendingKind | undefined;
  limit: number;
  /** Where the page before ended. */
  cursor?: PendingPosition | undefined;
}

type PendingTable = FulfilmentsTable<{ account: string; productId: string }, unknown>;

/** An entry of the lists, and where it stands. */
interface Found {
  kind: PendingKind;
  shard: number;
  entry: DueEntry;
}

const kinds: PendingKind[] = ['consume', 'grant'];
const shardsAtOnce = 8;
const recordsAtOnce = 16;

/** What is not settled, page by page: one shard after the other, the longest due first within each page (http-api.md 2.13). */
export function createPendingList(
  tables: Record<PendingKind, PendingTable>,
): (query: PendingQuery) => Promise<PendingPage> {
  return async ({ kind, limit, cursor }) => {
    const found = await readEntries(tables, kind === undefined ? kinds : [kind], limit + 1, cursor);
    const page = found.slice(0, limit);
    const items = await inParallel(page, recordsAtOnce, (one) => pendingItem(tables, one));
    const last = found.length > limit ? page.at(-1) : undefined;
    return {
      items: items.filter((item) => item !== undefined).sort(byNextAttempt),
      cursor: last === undefined ? null : cursorOf({ kind: last.kind, shard: last.shard, key: last.entry.key }),
    };
  };
}

/** At most `limit` entries, from a position on. */
async function readEntries(
  tables: Record<PendingKind, PendingTable>,
  wanted: PendingKind[],
  limit: number,
  after: PendingPosition | undefined,
): Promise<Found[]> {
  const shards = wanted.flatMap((kind) => Array.from({ length: fulfilmentShards }, (_, shard) => ({ kind, shard })));
  const isBefore = ({ kind, shard }: { kind: PendingKind; shard: number }) =>
    after !== undefined &&
    (kinds.indexOf(kind) < kinds.indexOf(after.kind) || (kind === after.kind && shard < after.shard));
  const found: Found[] = [];
  for (const chunk of chunksOf(
    shards.filter((one) => !isBefore(one)),
    shardsAtOnce,
  )) {
    const read = await inParallel(chunk, shardsAtOnce, async ({ kind, shard }) => {
      const afterKey = kind === after?.kind && shard === after.shard ? after.key : undefined;
      const entries = await tables[kind].due('attempt', shard, Number.POSITIVE_INFINITY, limit, afterKey);
      return entries.map((entry) => ({ kind, shard, entry }));
    });
    found.push(...read.flat());
    if (found.length >= limit) break;
  }
  return found.slice(0, limit);
}

/** Undefined for a record that has been settled since its entry was read. */
async function pendingItem(
  tables: Record<PendingKind, PendingTable>,
  { kind, entry }: Found,
): Promise<PendingItem | undefined> {
  const record = await tables[kind].get(entry.userId, entry.id);
  if (record?.state !== 'pending') return undefined;
  const { userId, id, request, createdAt, attempts, lastAttemptAt, dueAt, reason } = record;
  return {
    kind,
    userId,
    account: request.account,
    id,
    productId: request.productId,
    since: new Date(createdAt).toISOString(),
    attempts,
    lastAttemptAt: new Date(lastAttemptAt).toISOString(),
    nextAttemptAt: new Date(dueAt ?? entry.dueAt).toISOString(),
    reason: reason ?? 'in_progress',
  };
}

function byNextAttempt(a: PendingItem, b: PendingItem): number {
  return Date.parse(a.nextAttemptAt) - Date.parse(b.nextAttemptAt);
}
