import * as z from 'zod';
import type { Call } from '../lib/callContext.ts';
import type { UserAuthorization } from './collections.ts';
import { idempotentRule, readRule } from './retry.ts';
import type { SendToStore, StoreAnswer } from './transport.ts';

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

const ordersPage = z.looseObject({
  items: z.array(
    z.looseObject({
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
    }),
  ),
  continuationToken: text,
});
export type OrdersPage = z.infer<typeof ordersPage>;

/** Purchase takes no X-tokens (store-api.md 1.4). */
export interface PurchaseApi {
  /** @throws StoreSilence: it may have been granted */
  grant(call: Call, authorization: UserAuthorization, request: GrantRequest): Promise<StoreAnswer>;
  /** One page of the consumable purchases of the last 90 days (store-api.md 3.2). @throws StoreSilence */
  orders(
    call: Call,
    authorization: UserAuthorization,
    request: { states: LineItemState[]; sandbox: string },
    continuationToken: string | undefined,
  ): Promise<StoreAnswer>;
}

export function purchaseApi(send: SendToStore, url: string): PurchaseApi {
  const post = (
    call: Call,
    { key, serviceToken }: UserAuthorization,
    { sandbox, ...body }: { sandbox: string },
    how: { operation: string; path: string; retry: typeof readRule },
  ): Promise<StoreAnswer> =>
    send(call, {
      ...{ operation: how.operation, url: `${url}${how.path}`, retry: how.retry },
      headers: { authorization: `Bearer ${serviceToken}` },
      body: { b2bKey: key, ...body, ...(sandbox !== 'RETAIL' && { sbx: sandbox }) },
    });
  return {
    grant: (call, authorization, request) =>
      post(call, authorization, request, { operation: 'grant', path: '/v7.0/purchases/grant', retry: idempotentRule }),
    orders: (call, authorization, { states, sandbox }, continuationToken) => {
      const request = {
        lineItemStateFilter: states,
        sandbox,
        ...(continuationToken !== undefined && { continuationToken }),
      };
      return post(call, authorization, request, {
        operation: 'ordersQuery',
        path: '/v8.0/b2b/orders/query',
        retry: readRule,
      });
    },
  };
}

/** @throws ZodError that names the field which is not as documented */
export function grantedOf(answer: StoreAnswer): Granted {
  return granted.parse(answer.body);
}

/** @throws ZodError that names the field which is not as documented */
export function ordersPageOf(answer: StoreAnswer): OrdersPage {
  return ordersPage.parse(answer.body);
}
