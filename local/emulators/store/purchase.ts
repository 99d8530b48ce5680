/** purchases/grant v7 and v6, and b2b/orders/query (store-api.md 3.1, 3.2). Entra only. */
import { randomInt, randomUUID } from 'node:crypto';
import { publisherUserId, requireKey, requireService } from './auth.ts';
import { storeDate } from './dates.ts';
import { invalidParameter, StoreError } from './errors.ts';
import { isConsumable, makeOrder } from './ledger.ts';
import { type Call, countForRateLimit, type Operation, requireGuid, requireString, sandboxOf } from './operation.ts';
import { page } from './query.ts';
import type { Order, User } from './types.ts';
import { accountOf, changeAccount, productNamed } from './world.ts';

const ordersDays = 90;
const ordersPageSize = 100;
const lineStates = ['Purchased', 'Revoked', 'Refunded'];
const paidStates = new Set<string>(['Purchased', 'Refunded', 'ChargedBack']);

/** What a user quotes to support. */
export function newShortOrderId(): string {
  return String(randomInt(1e9, 1e10));
}

function requirePurchaser(call: Call): { user: User; key: string; sandbox: string; ownProducts: boolean } {
  const appid = requireService(call.world, call.verify, call.authorization);
  const key = requireString(call.body, 'b2bKey');
  const user = requireKey(call.world, 'purchase', appid, key);
  const sandbox = sandboxOf(call.body);
  countForRateLimit(call.world, user);
  return { user, key, sandbox, ownProducts: appid === call.world.publisherClientId };
}

export const grant: Operation = (call) => {
  const { world, body } = call;
  const { user, key, sandbox, ownProducts } = requirePurchaser(call);
  const [productId, skuId, availabilityId, language, market] = [
    requireString(body, 'productId'),
    requireString(body, 'skuId'),
    requireString(body, 'availabilityId'),
    requireString(body, 'language'),
    requireString(body, 'market'),
  ];
  const orderId = requireGuid(body, 'orderId');
  if ((body.quantity ?? 1) !== 1) throw invalidParameter(['quantity'], 'The quantity must be 1.');
  const product = ownProducts ? productNamed(world.catalog, productId) : undefined;
  if (!product?.configured || !sameId(product.skuId, skuId) || !sameId(product.availabilityId, availabilityId))
    throw new StoreError(400, 'ProductNotFound', "Requested catalog product data wasn't found.");

  const orderState = world.settings.grantOrderState;
  const known = accountOf(user, sandbox).orders.find((order) => order.orderId === orderId);
  if (known && known.lines[0]?.productId !== product.productId)
    throw new StoreError(409, 'OrderIdConflict', 'The order id belongs to another order.');
  if (!known && product.price > 0)
    throw new StoreError(400, 'ProductNotFree', 'The product is not free and cannot be granted.');
  const order: Order = known
    ? { ...known, orderState: known.orderState === 'Purchased' ? known.orderState : orderState }
    : makeOrder(world.catalog, {
        orderId,
        lineItemId: randomUUID(),
        shortOrderId: newShortOrderId(),
        orderState,
        product,
        quantity: 1,
        at: world.now(),
        market,
        language,
        devOfferId: typeof body.devOfferId === 'string' ? body.devOfferId : null,
      });
  changeAccount(user, sandbox, (account) => ({
    ...account,
    orders: known ? account.orders.map((one) => (one === known ? order : one)) : [...account.orders, order],
  }));
  return { status: 200, body: grantedOrder(order, publisherUserId(world, key)) };
};

function sameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function grantedOrder(order: Order, identityValue: string): Record<string, unknown> {
  const fulfilled = order.orderState === 'Purchased';
  return {
    orderId: order.orderId,
    orderState: order.orderState,
    createdTime: storeDate(order.createdAt),
    currencyCode: 'USD',
    isPIRequired: false,
    language: order.language,
    market: order.market,
    // The contents of a bundle are not listed here: they share the bundle's line id.
    orderLineItems: order.lines
      .filter((line) => line.bundleId === null)
      .map((line) => ({
        lineItemId: line.lineItemId,
        productId: line.productId,
        skuId: line.skuId,
        availabilityId: line.availabilityId,
        productType: line.kind,
        quantity: line.quantity,
        fulfillmentState: fulfilled ? 'Fulfilled' : 'NotFulfilled',
        billingState: fulfilled ? 'Charged' : 'NotCharged',
        listPrice: 0,
        retailPrice: 0,
        totalAmount: 0,
        ...(order.devOfferId === null ? {} : { devOfferId: order.devOfferId }),
      })),
    purchaser: { identityType: 'pub', identityValue },
    totalAmount: order.totalAmount,
  };
}

/** Orders with consumable lines of the wanted states, of the last 90 days, oldest first. Pure. */
export function recentOrders(orders: readonly Order[], states: readonly string[], now: number): Order[] {
  return orders
    .filter((order) => paidStates.has(order.orderState) && order.createdAt > now - ordersDays * 24 * 3600 * 1000)
    .map((order) => ({
      ...order,
      lines: order.lines.filter((line) => isConsumable(line) && states.includes(line.state)),
    }))
    .filter((order) => order.lines.length > 0)
    .sort((a, b) => a.createdAt - b.createdAt);
}

export const ordersQuery: Operation = (call) => {
  const { world, body } = call;
  const { user, sandbox, ownProducts } = requirePurchaser(call);
  const states = body.lineItemStateFilter ?? lineStates;
  if (!Array.isArray(states) || states.some((state) => !lineStates.includes(state)))
    throw invalidParameter(['lineItemStateFilter'], 'The line item states are not known.');
  const wanted: string[] = states.length === 0 ? lineStates : states;
  const offset = ordersOffset(body.continuationToken, [user.handle, sandbox, wanted]);
  const found = ownProducts ? recentOrders(accountOf(user, sandbox).orders, wanted, world.now()) : [];
  const { items, next } = page(found, offset, Math.min(ordersPageSize, world.settings.maxPageSize ?? ordersPageSize));
  return {
    status: 200,
    body: {
      items: items.map((order) => ({
        orderId: order.orderId,
        shortOrderId: order.shortOrderId,
        orderPurchasedDate: storeDate(order.createdAt),
        orderLineItems: order.lines.map((line) => ({
          lineItemId: line.lineItemId,
          lineItemState: line.state,
          productId: line.productId,
          skuId: line.skuId,
          quantity: line.quantity,
        })),
      })),
      ...(next === undefined ? {} : { continuationToken: JSON.stringify([next, user.handle, sandbox, wanted]) }),
    },
  };
};

function ordersOffset(token: unknown, request: unknown[]): number {
  if (token === undefined || token === null || token === '') return 0;
  const [, next, rest] = /^\[(\d+),(.*)\]$/.exec(typeof token === 'string' ? token : '') ?? [];
  if (next === undefined || rest !== JSON.stringify(request).slice(1, -1))
    throw invalidParameter(['continuationToken'], 'The continuation token is not that of this request.');
  return Number(next);
}
