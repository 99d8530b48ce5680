import { z } from 'zod';
import type { Call } from '../call.ts';
import { readRule } from './retry.ts';
import type { SendToStore, StoreAnswer } from './transport.ts';

/** As whom the Store is asked: a user's key with the service's token, or a delegated X-token, which says user and sandbox itself. */
export type StoreAuthorization =
  | { key: string; serviceToken: string }
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
  };
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
