import type { Outcome } from '../fulfilment/types.ts';
import type { Consumed } from '../store/collections.ts';
import { isStoreRefusal } from '../store/errors.ts';
import type { StoreResponse } from '../store/response.ts';
import type { ConsumeResult } from './record.ts';

/** The outcome of a refused consume: only what http-api.md 2.4 lists as final is a rejection. Pure. */
export function consumeRefusal(response: StoreResponse): Outcome<ConsumeResult> {
  const store = response.error;
  const code = store.code?.toLowerCase();
  if (isStoreRefusal(response)) {
    const missing = response.status === 404 || (response.status === 400 && code === 'insufficientconsumequantity');
    if (missing) return { outcome: 'rejected', rejection: { code: 'insufficient_quantity', store } };
    if (response.status === 400 && code === 'invalidparameter') {
      return { outcome: 'rejected', rejection: { code: 'store_rejected', store } };
    }
  }
  return { outcome: 'unknown', why: `the Store answered ${response.status}` };
}

export function consumeResult({ newQuantity, orderTransactions }: Consumed): ConsumeResult {
  const orders = (orderTransactions ?? []).map(({ orderId, orderLineItemId, quantityConsumed }) => {
    return { orderId, lineItemId: orderLineItemId, quantity: quantityConsumed };
  });
  return { newQuantity, orders };
}
