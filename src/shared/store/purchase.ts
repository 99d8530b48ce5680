import * as z from 'zod';
import type { CallContext } from '../lib/callContext.ts';
import type { AskStore, StoreResult, UserKey } from './authorize.ts';
import { sandboxMember } from './collections.ts';
import { readAllPages } from './paging.ts';
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

const text = z.string().nullish();
const granted = z.looseObject({
  orderState: z.string(),
  orderLineItems: z
    .array(
      z.looseObject({
        lineItemId: z.string(),
        productId: z.string(),
        skuId: text,
        quantity: z.number().int().nullish(),
      }),
    )
    .nullish(),
});
export type Granted = z.infer<typeof granted>;

const order = z.looseObject({
  orderId: z.string().min(1),
  orderPurchasedDate: text,
  orderLineItems: z.array(
    z.looseObject({
      lineItemId: z.string().min(1),
      lineItemState: z.string(),
      productId: z.string(),
      quantity: z.number().int().nullish(),
    }),
  ),
});
export type StoreOrder = z.infer<typeof order>;

const ordersPage = z.looseObject({ items: z.array(order).nullish(), continuationToken: text });

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
