import { idPart, userHash } from './rowKeys.ts';
import type { OpenTable, Table } from './tables.ts';

/** That a user was seen to own a product that is not a consumable: how a later refund finds its user (http-api.md 2.2). */
export interface SeenProduct {
  userId: string;
  account: string;
  productId: string;
  /** Where it was seen: the order that bought it, or the recurrence of a subscription. */
  cause: { orderId: string } | { recurrenceId: string };
}

export interface OrderLinesTable {
  /** Idempotent. */
  remember(seen: SeenProduct): Promise<void>;
}

/** Table `OrderLines`: partition order (or recurrence), row line, product, tracking id, user; `seen` rows are from queries. */
export function orderLinesTable(open: OpenTable): OrderLinesTable {
  const table: Table = open('OrderLines');
  return {
    async remember({ userId, account, productId, cause }) {
      await table.upsert({
        partitionKey: 'orderId' in cause ? idPart(cause.orderId) : `recurrence.${idPart(cause.recurrenceId)}`,
        rowKey: `seen.${idPart(productId)}.${userHash(userId)}`,
        ...{ userId, account, productId, ...cause },
      });
    },
  };
}
