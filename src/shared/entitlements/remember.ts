import type { CallContext } from '../lib/callContext.ts';
import { inParallel } from '../lib/inParallel.ts';
import { faultFields } from '../lib/log.ts';
import { withAbortTimeout } from '../lib/timeout.ts';
import type { OrderLinesTable, SeenProduct } from '../state/orderLines.ts';
import type { CollectedItem } from './collect.ts';

const consumableKinds = new Set(['consumable', 'unmanagedconsumable']);
const width = 16;
const budgetMs = 5000;
/** At most this many stored rows are remembered, so that the same are not written with every query. */
const memoryLimit = 50_000;

/** Stores which user a query showed a product for; never fails the query (http-api.md 2.2). */
export type Remember = (call: CallContext, userId: string, found: CollectedItem[]) => Promise<void>;

export function createRemember(table: OrderLinesTable): Remember {
  const stored = new Set<string>();
  return async (call, userId, found) => {
    const fresh = found.flatMap((one) => seenIn(userId, one)).filter((seen) => !stored.has(JSON.stringify(seen)));
    if (fresh.length === 0) return;
    try {
      await withAbortTimeout(budgetMs, 'remembering', () =>
        inParallel(fresh, width, async (seen) => {
          await table.remember(seen);
          if (stored.size >= memoryLimit) stored.clear();
          stored.add(JSON.stringify(seen));
        }),
      );
    } catch (fault) {
      call.log('error', 'entitlements.notRemembered', { products: fresh.length, ...faultFields(fault) });
    }
  };
}

/** The rows of one item: by its order, by its recurrence, or none for consumables. */
export function seenIn(userId: string, { item, account = 'default' }: CollectedItem): SeenProduct[] {
  const { productId, transactionId: orderId, recurrenceId, kind } = item;
  if (consumableKinds.has(kind.toLowerCase())) return [];
  const seen = { userId, account, productId };
  return [
    ...(orderId !== null ? [{ ...seen, cause: { orderId } }] : []),
    ...(recurrenceId !== null ? [{ ...seen, cause: { recurrenceId } }] : []),
  ];
}
