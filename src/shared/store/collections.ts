import * as z from 'zod';
import type { Call } from '../lib/callContext.ts';
import { idempotentRule, readRule } from './retry.ts';
import type { SendToStore, StoreAnswer } from './transport.ts';

/** A user's key, with the service's own token. */
export interface UserAuthorization {
  key: string;
  serviceToken: string;
}

/** As whom the Store is asked: a user's key with the service's token, or a delegated X-token, which says user and sandbox itself. */
export type StoreAuthorization =
  | UserAuthorization
  | { xToken: { userHash: string; token: string; signature?: string | undefined } };

export interface ProductSku {
  productId: string;
  skuId?: string | undefined;
}

/** One request for entitlements (store-api.md 2.1, 2.3): at most 100 products. */
export interface EntitlementsRequest {
  api: 'v9' | 'v8';
  products: ProductSku[];
  validity: 'All' | 'Valid' | 'Invalid';
  excludeDuplicates: boolean;
  sandbox: string;
  market?: string;
  entitlementFilters?: string[];
  expandSatisfyingItems?: boolean;
}

const text = z.string().nullish();
const item = z.looseObject({
  id: z.string(),
  productId: z.string(),
  skuId: text,
  productKind: text,
  productType: text,
  status: z.string(),
  quantity: z.number().int().nullish(),
  acquiredDate: text,
  startDate: text,
  endDate: text,
  modifiedDate: text,
  acquisitionType: text,
  satisfiedByProductIds: z.array(z.string()).nullish(),
  /** A recurrence id; `{}` in v8. */
  recurrenceData: z.unknown().optional(),
  transactionId: text,
  legacyProductId: text,
  trialData: z
    .looseObject({ isTrial: z.boolean().nullish(), isInTrialPeriod: z.boolean().nullish(), trialTimeRemaining: text })
    .nullish(),
});
export type StoreItem = z.infer<typeof item>;

const page = z.looseObject({ items: z.array(item), continuationToken: text });
export type StorePage = z.infer<typeof page>;

const endpoints = {
  v9: { path: '/v9.0/collections/publisherQuery', maxPageSize: 200, operation: 'publisherQuery' },
  v8: { path: '/v8.0/collections/b2bLicensePreview', maxPageSize: 100, operation: 'b2bLicensePreview' },
} as const;

export interface CollectionsApi {
  /** One page. The follow-up is the same request with the token of the page before. @throws StoreSilence */
  entitlements(
    call: Call,
    authorization: StoreAuthorization,
    request: EntitlementsRequest,
    continuationToken: string | undefined,
  ): Promise<StoreAnswer>;
  /** @throws StoreSilence: it may have been consumed */
  consume(call: Call, authorization: StoreAuthorization, request: ConsumeRequest): Promise<StoreAnswer>;
}

export function collectionsApi(send: SendToStore, url: string): CollectionsApi {
  return {
    entitlements(call, authorization, request, continuationToken) {
      const { path, maxPageSize, operation } = endpoints[request.api];
      return send(call, {
        operation,
        url: `${url}${path}`,
        headers: authorizationHeaders(authorization),
        body: {
          ...('key' in authorization && {
            beneficiaries: [beneficiary(authorization.key)],
            ...(request.sandbox !== 'RETAIL' && { sbx: request.sandbox }),
          }),
          productSkuIds: request.products,
          validityType: request.validity,
          excludeDuplicates: request.excludeDuplicates,
          maxPageSize,
          ...(request.api === 'v8' && {
            market: request.market,
            expandSatisfyingItems: request.expandSatisfyingItems,
            ...(request.entitlementFilters && { entitlementFilters: request.entitlementFilters }),
          }),
          ...(continuationToken !== undefined && { continuationToken }),
        },
        retry: readRule,
      });
    },
    consume(call, authorization, { sandbox, ...request }) {
      return send(call, {
        operation: 'consume',
        url: `${url}/v8.0/collections/consume`,
        headers: authorizationHeaders(authorization),
        body: {
          ...('key' in authorization && {
            beneficiary: beneficiary(authorization.key),
            ...(sandbox !== 'RETAIL' && { sbx: sandbox }),
          }),
          ...request,
          includeOrderIds: true,
        },
        retry: idempotentRule,
      });
    },
  };
}

/** One consume (store-api.md 2.4). The same request again never consumes twice: it must be the same to the letter. */
export interface ConsumeRequest {
  productId: string;
  trackingId: string;
  /** Absent for a developer-managed product, which refuses any value. */
  removeQuantity?: number;
  sandbox: string;
}

const consumed = z.looseObject({
  newQuantity: z.number().int(),
  orderTransactions: z
    .array(
      z.looseObject({
        orderId: z.string().min(1),
        orderLineItemId: z.string().min(1),
        quantityConsumed: z.number().int(),
      }),
    )
    .nullish(),
});
export type Consumed = z.infer<typeof consumed>;

/** @throws ZodError that names the field which is not as documented */
export function consumedOf(answer: StoreAnswer): Consumed {
  return consumed.parse(answer.body);
}

/** @throws ZodError that names the field which is not as documented */
export function pageOf(answer: StoreAnswer): StorePage {
  return page.parse(answer.body);
}

export function authorizationHeaders(authorization: StoreAuthorization): Record<string, string> {
  if ('key' in authorization) return { authorization: `Bearer ${authorization.serviceToken}` };
  const { userHash, token, signature } = authorization.xToken;
  return { authorization: `XBL3.0 x=${userHash};${token}`, ...(signature !== undefined && { signature }) };
}

function beneficiary(key: string) {
  return { identityType: 'b2b', identityValue: key, localTicketReference: 'user' };
}
