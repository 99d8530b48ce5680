import type { Entitlement } from '../contract/entitlements.ts';
import type { ProductSku, StoreItem } from '../store/collections.ts';
import { isoOf, secondsOf } from '../store/dates.ts';

/** An item of the Store (store-api.md 2.1, 2.3) in the shape of the contract. */
export function entitlementOf(item: StoreItem, account: string | undefined): Entitlement {
  return {
    ...(account !== undefined && { account }),
    id: item.id,
    productId: item.productId,
    skuId: item.skuId || null,
    kind: item.productKind ?? item.productType ?? 'Unknown',
    status: item.status,
    quantity: item.quantity ?? 1,
    acquiredAt: isoOf(item.acquiredDate),
    startsAt: isoOf(item.startDate),
    endsAt: isoOf(item.endDate),
    modifiedAt: isoOf(item.modifiedDate),
    acquisition: item.acquisitionType ?? null,
    satisfiedBy: item.satisfiedByProductIds ?? [],
    recurrenceId: typeof item.recurrenceData === 'string' && item.recurrenceData !== '' ? item.recurrenceData : null,
    orderId: item.transactionId || null,
    trial: {
      isTrial: item.trialData?.isTrial ?? false,
      inTrialPeriod: item.trialData?.isInTrialPeriod ?? false,
      remainingSeconds: secondsOf(item.trialData?.trialTimeRemaining),
    },
    ...(item.legacyProductId ? { legacyProductId: item.legacyProductId } : {}),
  };
}

const endless = '9999';

/** Of two with the same product and SKU the one that counts: Active, then the last invalidated, then Revoked (store-api.md 2.1). */
function outranks(a: Entitlement, b: Entitlement): boolean {
  if (rank(a) !== rank(b)) return rank(a) > rank(b);
  if (a.modifiedAt !== b.modifiedAt) return (a.modifiedAt ?? '') > (b.modifiedAt ?? '');
  if (a.endsAt !== b.endsAt) return (a.endsAt ?? endless) > (b.endsAt ?? endless);
  // They differ in nothing documented: any rule is right that does not depend on the order of pages.
  return a.id !== b.id ? a.id < b.id : a.status < b.status;
}

function rank({ status }: Entitlement): number {
  if (status === 'Active') return 2;
  return status === 'Revoked' ? 0 : 1;
}

/** One entitlement per product and SKU, in the order in which they first appear. */
export function withoutDuplicates(items: Entitlement[]): Entitlement[] {
  const best = new Map<string, Entitlement>();
  for (const item of items) {
    const key = JSON.stringify([item.productId, item.skuId]);
    const known = best.get(key);
    if (!known || outranks(item, known)) best.set(key, item);
  }
  return [...best.values()];
}

/** Each product once; a product without a SKU covers all of its SKUs. */
export function distinctProducts(products: ProductSku[]): ProductSku[] {
  const wholeProducts = new Set(products.filter(({ skuId }) => skuId === undefined).map(({ productId }) => productId));
  const distinct = new Map<string, ProductSku>();
  for (const product of products) {
    if (product.skuId !== undefined && wholeProducts.has(product.productId)) continue;
    distinct.set(JSON.stringify([product.productId, product.skuId]), product);
  }
  return [...distinct.values()];
}
