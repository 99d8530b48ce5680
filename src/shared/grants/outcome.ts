import type { StoreErrorInfo } from '../contract/problems.ts';
import type { Outcome } from '../fulfilment/types.ts';
import { sameId } from '../store/answer.ts';
import { authFaultOf, isStoreRefusal } from '../store/errors.ts';
import type { Granted } from '../store/purchase.ts';
import type { StoreResponse } from '../store/response.ts';
import type { GrantResult } from './record.ts';

/** The Store spells it both ways (store-api.md 3.1). */
const canceledStates = new Set(['canceled', 'cancelled']);
const finalStatuses = new Set([400, 403, 404, 409, 422]);

/** The outcome of a refused grant: only what http-api.md 2.5 lists as final is a rejection. Pure. */
export function grantRefusal(response: StoreResponse): Outcome<GrantResult> {
  const isFinal = finalStatuses.has(response.status) && isStoreRefusal(response) && authFaultOf(response) === null;
  if (isFinal) return { outcome: 'rejected', rejection: { code: 'store_rejected', store: response.error } };
  return { outcome: 'unknown', why: `the Store answered ${response.status}` };
}

/** The outcome of an order, by its state. Pure. */
export function grantOutcome({ orderState, orderLineItems }: Granted, store: StoreErrorInfo): Outcome<GrantResult> {
  if (canceledStates.has(orderState.toLowerCase()))
    return { outcome: 'rejected', rejection: { code: 'store_rejected', store } };
  if (!sameId(orderState, 'Purchased')) return { outcome: 'unknown', why: `the order is ${orderState}` };
  const lineItems = (orderLineItems ?? []).map(({ lineItemId, productId, skuId, quantity }) => {
    return { lineItemId, productId, skuId: skuId || null, quantity: quantity ?? 1 };
  });
  return { outcome: 'completed', result: { orderState, lineItems } };
}
