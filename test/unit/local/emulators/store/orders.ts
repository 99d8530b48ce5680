import { makeOrder } from '../../../../../local/emulators/store/ledger.ts';
import type { Order, Product, ProductKind } from '../../../../../local/emulators/store/types.ts';

export const coins = (kind: ProductKind = 'Consumable', unitsPerPurchase = 1): Product => ({
  productId: 'COINS',
  kind,
  price: 1,
  skuId: '0010',
  availabilityId: 'A1',
  unitsPerPurchase,
  bundle: [],
  configured: true,
  legacyProductId: null,
  gamePassTiers: [],
});

export function order(product: Product, quantity: number, at: number, name = `o${at}`): Order {
  const ids = { orderId: name, lineItemId: `l-${name}`, shortOrderId: '1' };
  return makeOrder(new Map(), { ...ids, orderState: 'Purchased', product, quantity, at });
}
