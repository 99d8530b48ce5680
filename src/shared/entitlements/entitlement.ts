import type { Entitlement } from '../contract/entitlements.ts';
import { isSameId } from '../lib/ids.ts';
import type { ProductSku, StoreItem } from '../store/collections.ts';

/** An item of the Store (store-api.md 2.1, 2.3) in the shape of the contract. */
export function entitlementOf(item: StoreItem, account: string | undefined): Entitlement {
  const { trial, tags, legacyProductId, devOfferId, inAppOfferToken } = item;
  const { productFamily, purchasedCountry, sharingSource } = item;
  return {
    ...(account !== undefined && { account }),
    id: item.id,
    productId: item.productId,
    skuId: item.skuId,
    kind: item.kind,
    status: item.status,
    quantity: item.quantity,
    acquiredAt: item.acquiredDate,
    startsAt: item.startDate,
    endsAt: item.endDate,
    modifiedAt: item.modifiedDate,
    acquisition: item.acquisitionType,
    satisfiedBy: item.satisfiedByProductIds,
    recurrenceId: item.recurrenceId,
    orderId: item.transactionId,
    trial,
    ...(legacyProductId !== null && { legacyProductId }),
    ...(devOfferId !== null && { devOfferId }),
    ...(inAppOfferToken !== null && { inAppOfferToken }),
    ...(tags !== null && { tags }),
    ...(productFamily !== null && { productFamily }),
    ...(purchasedCountry !== null && { purchasedCountry }),
    ...(sharingSource !== null && { sharingSource }),
  };
}

const endless = '9999';

/** Of two with the same product and SKU the one that counts: Active, then the last invalidated, then Revoked (store-api.md 2.1). */
function outranks(a: Entitlement, b: Entitlement): boolean {
  if (rank(a) !== rank(b)) return rank(a) > rank(b);
  if (a.modifiedAt !== b.modifiedAt) return (a.modifiedAt ?? '') > (b.modifiedAt ?? '');
  if (a.endsAt !== b.endsAt) return (a.endsAt ?? endless) > (b.endsAt ?? endless);
  // They differ in nothing documented: any rule is right that does not depend on the order of pages.
  return (a.id ?? '') !== (b.id ?? '') ? (a.id ?? '') < (b.id ?? '') : a.status < b.status;
}

function rank({ status }: Entitlement): number {
  if (isSameId(status, 'Active')) return 2;
  return isSameId(status, 'Revoked') ? 0 : 1;
}

/** Equal for the same product and SKU. Ids are compared without case, but shown and sent as they were written (http-api.md 1). */
function idKey({ productId, skuId }: { productId: string; skuId?: string | null | undefined }): string {
  return JSON.stringify([productId.toLowerCase(), skuId?.toLowerCase()]);
}

/** One entitlement per product and SKU, in the order in which they first appear. */
export function withoutDuplicates(items: Entitlement[]): Entitlement[] {
  const best = new Map<string, Entitlement>();
  for (const item of items) {
    const key = idKey(item);
    const known = best.get(key);
    if (!known || outranks(item, known)) best.set(key, item);
  }
  return [...best.values()];
}

/** Each product once, as it was first written; a product without a SKU covers all of its SKUs. */
export function distinctProducts(products: ProductSku[]): ProductSku[] {
  const wholeProducts = new Set(products.filter(({ skuId }) => skuId === undefined).map(idKey));
  const distinct = new Map<string, ProductSku>();
  for (const product of products) {
    if (product.skuId !== undefined && wholeProducts.has(idKey({ productId: product.productId }))) continue;
    const key = idKey(product);
    if (!distinct.has(key)) distinct.set(key, product);
  }
  return [...distinct.values()];
}
