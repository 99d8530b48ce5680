import type { Rejection } from '../state/fulfilments.ts';
import type { Consumed } from '../store/collections.ts';
import { isStoreRefusal } from '../store/errors.ts';
import type { StoreResponse } from '../store/response.ts';
import type { ConsumedLine, ConsumeResult } from './record.ts';

/** The rejection of a refused consume, if the refusal is one that http-api.md 2.4 lists as final. Pure. */
export function consumeRejection(response: StoreResponse): Rejection | undefined {
  const store = response.error;
  const code = store.code?.toLowerCase();
  if (!isStoreRefusal(response)) return undefined;
  const missing = response.status === 404 || (response.status === 400 && code === 'insufficientconsumequantity');
  if (missing) return { code: 'insufficient_quantity', store };
  return response.status === 400 && code === 'invalidparameter' ? { code: 'store_rejected', store } : undefined;
}

/** What was consumed, each order line once: one that the Store lists in parts is one line. Pure. */
export function consumeResult({ newQuantity, orderTransactions }: Consumed): ConsumeResult {
  const lines = new Map<string, ConsumedLine>();
  for (const { orderId, orderLineItemId: lineItemId, quantityConsumed } of orderTransactions ?? []) {
    const key = JSON.stringify([orderId.toLowerCase(), lineItemId.toLowerCase()]);
    const quantity = quantityConsumed + (lines.get(key)?.quantity ?? 0);
    lines.set(key, { ...(lines.get(key) ?? { orderId, lineItemId }), quantity });
  }
  return { newQuantity, orders: [...lines.values()] };
}
