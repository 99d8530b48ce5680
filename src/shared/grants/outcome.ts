import type { StoreErrorInfo } from '../contract/problems.ts';
import type { Outcome } from '../fulfilment/types.ts';
import type { Rejection } from '../state/fulfilments.ts';
import { authFaultOf, isStoreRefusal, storeUnavailable } from '../store/errors.ts';
import type { Granted } from '../store/purchase.ts';
import type { StoreResponse } from '../store/response.ts';
import type { GrantResult } from './record.ts';

const finalStatuses = new Set([400, 403, 404, 409, 422]);

/** The rejection of a refused grant, if the refusal is one that http-api.md 2.5 lists as final. Pure. */
export function grantRejection(response: StoreResponse): Rejection | undefined {
  const isFinal = finalStatuses.has(response.status) && isStoreRefusal(response) && authFaultOf(response) === null;
  return isFinal ? { code: 'store_rejected', store: response.error } : undefined;
}

/** The outcome of an order, by its state. Pure. @throws Problem store_unavailable for a state that is not final */
export function grantOutcome({ orderState, orderLineItems }: Granted, store: StoreErrorInfo): Outcome<GrantResult> {
  if (orderState === 'Canceled') return { outcome: 'rejected', rejection: { code: 'store_rejected', store } };
  if (orderState !== 'Purchased') {
    throw storeUnavailable({ store, cause: new Error(`the order is in the state ${orderState}`) });
  }
  const lineItems = (orderLineItems ?? []).map(({ lineItemId, productId, skuId, quantity }) => {
    return { lineItemId, productId, skuId: skuId || null, quantity: quantity ?? 1 };
  });
  return { outcome: 'completed', result: { orderState, lineItems } };
}
