import * as z from 'zod';
import type { CallContext } from '../lib/callContext.ts';
import { countOf, listOf, optionalCount, optionalText, requiredText, spelledAs, storeObject } from './answer.ts';
import type { AskStore, StoreResult, UserKey } from './authorize.ts';
import { sandboxMember } from './collections.ts';
import { pageOf, readAllPages } from './paging.ts';
import { idempotentRetryPolicy, readRetryPolicy } from './retry.ts';

/** A free product for a user (store-api.md 3.1). `orderId` is the caller's, unique for the user. */
export interface GrantRequest {
  productId: string;
  skuId: string;
  availabilityId: string;
  orderId: string;
  language: string;
  market: string;
  devOfferId?: string;
  sandbox: string;
}

export type LineItemState = 'Purchased' | 'Revoked' | 'Refunded';

/** An order that a grant made. Only its state says whether the product was granted. */
const granted = storeObject({
  orderState: requiredText.transform((state) => spelledAs(orderStates, state)),
  orderLineItems: listOf(
    storeObject({ lineItemId: requiredText, productId: requiredText, skuId: optionalText, quantity: optionalCount }),
  ),
});
export interface Granted {
  orderState: string;
  orderLineItems?: GrantedLine[] | null | undefined;
}
export interface GrantedLine {
  lineItemId: string;
  productId: string;
  skuId?: string | null | undefined;
  quantity?: number | null | undefined;
}

const orderStates = ['Purchased', 'Editing', 'CheckingOut', 'Pending', 'Refunded', 'ChargedBack', 'Canceled'];
const lineStates: LineItemState[] = ['Purchased', 'Revoked', 'Refunded'];

/** A consumable purchase. What its lines are matched by is required: a line that cannot be read is not "no line". */
const order = storeObject({
  orderId: requiredText,
  orderPurchasedDate: optionalText,
  orderLineItems: listOf(
    storeObject({
      lineItemId: requiredText,
      lineItemState: requiredText.transform((state) => spelledAs(lineStates, state)),
      productId: requiredText,
      quantity: z.unknown().transform(quantityOrIssue),
    }),
  ),
});
export interface StoreOrder {
  orderId: string;
  /** As the Store sent it: not every date can be read. */
  orderPurchasedDate?: string | null | undefined;
  orderLineItems: StoreOrderLine[];
}
export interface StoreOrderLine {
  lineItemId: string;
  lineItemState: string;
  productId: string;
  quantity?: number | null | undefined;
}

/** Null if absent. One that cannot be read is an error: the line could seem to be consumed already. */
function quantityOrIssue(value: unknown, context: z.RefinementCtx): number | null {
  const quantity = countOf(value);
  if (quantity === null && value !== null)
    context.addIssue({ code: 'custom', message: 'is no quantity', input: value });
  return quantity;
}

const ordersPage = pageOf(order);

/** A list of more pages than this counts as endless: 90 days of purchases need far fewer. */
const pageLimit = 200;

/** Purchase takes no X-tokens (store-api.md 1.4). */
export interface PurchaseApi {
  /** @throws StoreRefusedError; StoreNoResponseError: it may have been granted; Problem of the identity */
  grant(call: CallContext, userKey: UserKey, request: GrantRequest): Promise<StoreResult<Granted>>;
  /** The consumable purchases of the last 90 days, every page (store-api.md 3.2). @throws StoreRefusedError, StoreNoResponseError, Problem */
  queryOrders(
    call: CallContext,
    userKey: UserKey,
    request: { states: LineItemState[]; sandbox: string },
  ): Promise<StoreOrder[]>;
}

export function createPurchaseApi(ask: AskStore, url: string): PurchaseApi {
  return {
    grant(call, userKey, { sandbox, ...request }) {
      return ask(call, userKey, {
        operation: 'grant',
        url: `${url}/v7.0/purchases/grant`,
        retry: idempotentRetryPolicy,
        schema: granted,
        body: (b2bKey) => ({ b2bKey, ...request, ...sandboxMember(sandbox) }),
      });
    },
    queryOrders(call, userKey, { states, sandbox }) {
      return readAllPages(pageLimit, (continuationToken) =>
        ask(call, userKey, {
          operation: 'ordersQuery',
          url: `${url}/v8.0/b2b/orders/query`,
          retry: readRetryPolicy,
          schema: ordersPage,
          body: (b2bKey) => ({
            b2bKey,
            lineItemStateFilter: states,
            continuationToken,
            ...sandboxMember(sandbox),
          }),
        }),
      );
    },
  };
}
