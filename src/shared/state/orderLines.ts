import { createHash } from 'node:crypto';
import * as z from 'zod';
import { idPart, userHash } from './rowKeys.ts';
import { markBytes } from './seenMarks.ts';
import type { OpenTable } from './tables.ts';

/** A product, not a consumable, that a query showed for a user: a later refund finds its user by it (http-api.md 2.2). */
export interface SeenProduct {
  userId: string;
  account: string;
  productId: string;
  /** The order that bought it, or the recurrence of the subscription. */
  cause: { orderId: string } | { recurrenceId: string };
}

/** A consume took units of an order line: a later clawback is matched with it (store-api.md 4.4). */
export interface LineClaim {
  userId: string;
  account: string;
  trackingId: string;
  productId: string;
  orderId: string;
  lineItemId: string;
  quantity: number;
  matchedBy?: 'orders';
}

/** A claim as it is stored. */
export interface StoredClaim extends LineClaim {
  /** When the tables wrote it; sorts as text. */
  claimedAt: string;
}

export interface OrderLinesTable {
  /** Idempotent: the same consume claims the same line once. */
  claim(claim: LineClaim): Promise<void>;
  /** Idempotent. */
  unclaim(claim: LineClaim): Promise<void>;
  /** The consumes of a line so far. */
  claims(orderId: string, lineItemId: string, productId: string): Promise<StoredClaim[]>;
  /** Idempotent. */
  remember(seen: SeenProduct): Promise<void>;
}

const claimed = z.looseObject({
  userId: z.string(),
  account: z.string(),
  trackingId: z.string(),
  productId: z.string(),
  orderId: z.string(),
  lineItemId: z.string(),
  quantity: z.number().int(),
  timestamp: z.string(),
});

/** Table `OrderLines`: partition order (or recurrence), row line, product, tracking id, user; `seen` rows are from queries. */
export function createOrderLinesTable(openTable: OpenTable): OrderLinesTable {
  const table = openTable('OrderLines');
  return {
    async claim(claim) {
      await table.upsert({ partitionKey: idPart(claim.orderId), rowKey: claimKey(claim), ...claim });
    },
    async unclaim(claim) {
      await table.remove(idPart(claim.orderId), claimKey(claim));
    },
    async claims(orderId, lineItemId, productId) {
      const prefix = linePrefix(lineItemId, productId);
      const range = `RowKey ge '${prefix}' and RowKey lt '${prefix}~'`;
      const rows = await table.list(`PartitionKey eq '${idPart(orderId)}' and ${range}`);
      return rows.map((row) => {
        const { timestamp: claimedAt, ...claim } = claimed.parse(row);
        return { ...claim, claimedAt };
      });
    },
    async remember(seen) {
      const { userId, account, productId, cause } = seen;
      await table.upsert({ ...seenKeys(seen), userId, account, productId, ...cause });
    },
  };
}

function seenKeys({ userId, productId, cause }: SeenProduct): { partitionKey: string; rowKey: string } {
  return {
    partitionKey: 'orderId' in cause ? idPart(cause.orderId) : `recurrence.${idPart(cause.recurrenceId)}`,
    rowKey: `seen.${idPart(productId)}.${userHash(userId)}`,
  };
}

/** Names the row of a seen product: spellings of one row have one mark. The row is found by it, but not read from it. */
export function seenMark(seen: SeenProduct): string {
  const { partitionKey, rowKey } = seenKeys(seen);
  const hash = createHash('sha256').update(`${partitionKey}/${rowKey}`, 'utf8').digest();
  return hash.toString('hex', 0, markBytes);
}

function claimKey({ lineItemId, productId, trackingId, userId }: LineClaim): string {
  return `${linePrefix(lineItemId, productId)}${trackingId}.${userHash(userId)}`;
}

function linePrefix(lineItemId: string, productId: string): string {
  return `line.${idPart(lineItemId)}.${idPart(productId)}.`;
}
