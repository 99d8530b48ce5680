/** Orders, balances and consumes of one account. Pure: every function returns a new account. */
import type { Account, Consume, Line, Order, OrderTransaction, Product } from './types.ts';

export interface NewOrder {
  orderId: string;
  lineItemId: string;
  shortOrderId: string;
  orderState: Order['orderState'];
  product: Product;
  quantity: number;
  at: number;
  market?: string;
  language?: string;
  devOfferId?: string | null;
}

/** An order for a product and all that it bundles: contents carry the bundle's order and line ids (store-api.md 4.4). */
export function makeOrder(catalog: ReadonlyMap<string, Product>, from: NewOrder): Order {
  const { product, at } = from;
  const line = (p: Product, bundleId: string | null): Line => {
    const units = p.kind === 'Consumable' ? from.quantity * p.unitsPerPurchase : from.quantity;
    return {
      orderId: from.orderId,
      lineItemId: from.lineItemId,
      productId: p.productId,
      skuId: p.skuId,
      availabilityId: p.availabilityId,
      kind: p.kind,
      quantity: from.quantity,
      units,
      remaining: units,
      source: bundleId === null ? 'direct' : 'bundle',
      bundleId,
      acquiredAt: at,
      modifiedAt: at,
      state: 'Purchased',
    };
  };
  return {
    orderId: from.orderId,
    shortOrderId: from.shortOrderId,
    orderState: from.orderState,
    createdAt: at,
    market: from.market ?? 'US',
    language: from.language ?? 'en-US',
    totalAmount: product.price * from.quantity,
    devOfferId: from.devOfferId ?? null,
    lines: [line(product, null), ...contents(catalog, product, new Set()).map((p) => line(p, product.productId))],
  };
}

function contents(catalog: ReadonlyMap<string, Product>, product: Product, seen: Set<string>): Product[] {
  seen.add(product.productId);
  return product.bundle.flatMap((id) => {
    const inner = catalog.get(id);
    if (!inner || seen.has(id)) return [];
    return [inner, ...contents(catalog, inner, seen)];
  });
}

export function isConsumable(line: Pick<Line, 'kind'>): boolean {
  return line.kind === 'Consumable' || line.kind === 'UnmanagedConsumable';
}

/** Lines that were paid and delivered, in the order in which they are consumed: oldest purchase first. */
export function ownedLines(account: Account, productId?: string): Line[] {
  return account.orders
    .filter((order) => order.orderState === 'Purchased')
    .flatMap((order) => order.lines)
    .filter((line) => line.state === 'Purchased' && (productId === undefined || line.productId === productId))
    .sort((a, b) => a.acquiredAt - b.acquiredAt);
}

/** How many units can still be consumed. The Store never shows more than 1 of a developer-managed consumable (store-api.md 4.5). */
export function balance(account: Account, product: Pick<Product, 'productId' | 'kind'>): number {
  const available = ownedLines(account, product.productId).reduce((sum, line) => sum + line.remaining, 0);
  return product.kind === 'UnmanagedConsumable' ? Math.min(1, available) : available;
}

export type ConsumeOutcome =
  | { outcome: 'notOwned' }
  | { outcome: 'insufficient' }
  | { outcome: 'consumed' | 'replayed'; account: Account; newQuantity: number; orders: OrderTransaction[] };

/**
 * Takes `quantity` units off the oldest lines first, or nothing at all. The same productId, trackingId and quantity never
 * consume twice; their replay answers the order ids again for a store-managed product, none for a developer-managed one
 * (store-api.md 2.4).
 */
export function consume(
  account: Account,
  product: Pick<Product, 'productId' | 'kind'>,
  request: { trackingId: string; quantity: number; at: number },
): ConsumeOutcome {
  const { productId } = product;
  const { trackingId, quantity, at } = request;
  const isSameConsume = (c: Consume): boolean =>
    c.productId === productId && c.trackingId === trackingId && c.quantity === quantity;
  const done = account.consumes.find(isSameConsume);
  if (done) {
    const consumes = account.consumes.map((c) => (c === done ? { ...c, times: c.times + 1 } : c));
    const orders = product.kind === 'Consumable' ? done.orders : [];
    return { outcome: 'replayed', account: { ...account, consumes }, newQuantity: balance(account, product), orders };
  }

  const owned = ownedLines(account, productId);
  const available = owned.reduce((sum, line) => sum + line.remaining, 0);
  if (owned.length === 0 || (available === 0 && product.kind === 'UnmanagedConsumable')) return { outcome: 'notOwned' };
  if (available < quantity) return { outcome: 'insufficient' };

  const consumedUnits = takeOldest(owned, quantity);
  const orders = [...consumedUnits].map(([line, quantityConsumed]) => ({
    orderId: line.orderId,
    orderLineItemId: line.lineItemId,
    quantityConsumed,
  }));
  const next: Account = {
    ...account,
    orders: account.orders.map((order) => {
      if (!order.lines.some((line) => consumedUnits.has(line))) return order;
      const lines = order.lines.map((line) => {
        const units = consumedUnits.get(line);
        return units === undefined ? line : { ...line, remaining: line.remaining - units, modifiedAt: at };
      });
      return { ...order, lines };
    }),
    consumes: [...account.consumes, { productId, trackingId, quantity, orders, at, times: 1 }],
  };
  return { outcome: 'consumed', account: next, newQuantity: balance(next, product), orders };
}

function takeOldest(lines: Line[], quantity: number): Map<Line, number> {
  const consumedUnits = new Map<Line, number>();
  let wanted = quantity;
  for (const line of lines) {
    const units = Math.min(wanted, line.remaining);
    if (units > 0) consumedUnits.set(line, units);
    wanted -= units;
  }
  return consumedUnits;
}
