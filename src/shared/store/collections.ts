import type { CallContext } from '../lib/callContext.ts';
import type { AskStore, StoreCaller } from './authorize.ts';
import { type Consumed, consumedBy } from './consumed.ts';
import { pageOf, readAllPages } from './paging.ts';
import { idempotentRetryPolicy, readRetryPolicy } from './retry.ts';
import { type StoreItem, storeItem } from './storeItem.ts';

export type { Consumed } from './consumed.ts';
export type { StoreItem } from './storeItem.ts';

export interface ProductSku {
  productId: string;
  skuId?: string | undefined;
}

/** One request for entitlements (store-api.md 2.1, 2.3): at most 100 products. */
export interface EntitlementsRequest {
  api: 'v9' | 'v8';
  /** Absent: the whole catalogue of the publisher, which only v8 lists. */
  products?: ProductSku[] | undefined;
  validity: 'All' | 'Valid' | 'Invalid';
  excludeDuplicates: boolean;
  sandbox: string;
  market?: string;
  entitlementFilters?: string[];
  expandSatisfyingItems?: boolean;
}

/** One consume (store-api.md 2.4). The same request again never consumes twice: it must be exactly the same. */
export interface ConsumeRequest {
  productId: string;
  trackingId: string;
  /** Absent for a developer-managed product, which refuses any value. */
  removeQuantity?: number;
  sandbox: string;
}

const endpoints = {
  v9: { path: '/v9.0/collections/publisherQuery', maxPageSize: 200, operation: 'publisherQuery' },
  v8: { path: '/v8.0/collections/b2bLicensePreview', maxPageSize: 100, operation: 'b2bLicensePreview' },
} as const;

const page = pageOf(storeItem);

/** A list of more pages than this counts as endless: 100 products need far fewer. */
const pageLimit = 1000;

export interface CollectionsApi {
  /** Every page. @throws StoreRefusedError, StoreNoResponseError, Problem */
  queryEntitlements(call: CallContext, caller: StoreCaller, request: EntitlementsRequest): Promise<StoreItem[]>;
  /** @throws StoreRefusedError; StoreNoResponseError: it may have been consumed; Problem of the identity */
  consume(call: CallContext, caller: StoreCaller, request: ConsumeRequest): Promise<Consumed>;
}

export function createCollectionsApi(ask: AskStore, url: string): CollectionsApi {
  return {
    queryEntitlements(call, caller, request) {
      const { path, maxPageSize, operation } = endpoints[request.api];
      return readAllPages(pageLimit, (continuationToken) =>
        ask(call, caller, {
          operation,
          url: `${url}${path}`,
          retry: readRetryPolicy,
          schema: page,
          body: (key) => ({
            ...(key !== undefined && { beneficiaries: [beneficiary(key)], ...sandboxMember(request.sandbox) }),
            productSkuIds: request.products,
            validityType: request.validity,
            excludeDuplicates: request.excludeDuplicates,
            maxPageSize,
            ...(request.api === 'v8' && v8Members(request)),
            continuationToken,
          }),
        }),
      );
    },
    async consume(call, caller, { sandbox, ...request }) {
      const { value } = await ask(call, caller, {
        operation: 'consume',
        url: `${url}/v8.0/collections/consume`,
        retry: idempotentRetryPolicy,
        schema: consumedBy({ trackingId: request.trackingId, removeQuantity: request.removeQuantity }),
        body: (key) => ({
          ...(key !== undefined && { beneficiary: beneficiary(key), ...sandboxMember(sandbox) }),
          ...request,
          includeOrderIds: true,
        }),
      });
      return value;
    },
  };
}

function v8Members({ market, expandSatisfyingItems, entitlementFilters }: EntitlementsRequest): object {
  return { market, expandSatisfyingItems, entitlementFilters };
}

/** RETAIL is what the Store assumes. */
export function sandboxMember(sandbox: string): { sbx?: string } {
  return sandbox === 'RETAIL' ? {} : { sbx: sandbox };
}

function beneficiary(key: string) {
  return { identityType: 'b2b', identityValue: key, localTicketReference: 'user' };
}
