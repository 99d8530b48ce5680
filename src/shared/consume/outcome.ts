import type { Rejection } from '../state/fulfilments.ts';
import type { Consumed } from '../store/collections.ts';
import { isStoreRefusal } from '../store/errors.ts';
import type { StoreResponse } from '../store/response.ts';
import type { ConsumeResult } from './record.ts';

/** The rejection of a refused consume, if the refusal is one that http-api.md 2.4 lists as final. Pure. */
export function consumeRejection(response: StoreResponse): Rejection | undefined {
  const store = response.error;
  const code = store.code?.toLowerCase();
  if (!isStoreRefusal(response)) return undefined;
  const missing = response.status === 404 || (response.status === 400 && code === 'insufficientconsumequantity');
  if (missing) return { code: 'insufficient_quantity', store };
  return response.status === 400 && code === 'invalidparameter' ? { code: 'store_rejected', store } : undefined;
}

/** What was consumed. `quantity` is what the request asked for: it stands for the one that the Store leaves out of a single line. */
export function consumeResult({ newQuantity, orderTransactions }: Consumed, quantity: number): ConsumeResult {
  const orders = (orderTransactions ?? []).map(({ orderId, orderLineItemId, quantityConsumed }) => {
    return { orderId, lineItemId: orderLineItemId, quantity: quantityConsumed ?? quantity };
  });
  return { newQuantity, orders };
}
