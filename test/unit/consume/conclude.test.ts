import { expect, test } from 'vitest';
import { concludeConsume } from '../../../src/shared/consume/conclude.ts';
import type { ConsumeOrder, ConsumeResult } from '../../../src/shared/consume/record.ts';
import { Problem } from '../../../src/shared/contract/problems.ts';
import { createRecord } from '../../../src/shared/fulfilment/machine.ts';
import type { FulfilmentRecord } from '../../../src/shared/state/fulfilments.ts';
import type { LineClaim, OrderLinesTable, StoredClaim } from '../../../src/shared/state/orderLines.ts';
import type { StoreOrder } from '../../../src/shared/store/purchase.ts';
import { testCall, testClock } from '../../support/call.ts';

type Stored = FulfilmentRecord<ConsumeOrder, ConsumeResult> & { etag: string };

const by = { creator: 'creator', requestIdentity: false };
const recordOf = (id: string, over: Partial<ConsumeOrder> = {}, now = 0): Stored => ({
  ...createRecord<ConsumeOrder, ConsumeResult>(
    'u',
    id,
    { account: 'default', productId: 'GEMS', quantity: 1, managedBy: 'developer', sandbox: 'RETAIL', ...over },
    by,
    now,
  ),
  etag: '',
});

const orderOf = (number: number, lineItemState = 'Purchased', productId = 'GEMS'): StoreOrder => ({
  orderId: `order-${number}`,
  orderPurchasedDate: new Date(number * 1000).toISOString(),
  orderLineItems: [{ lineItemId: 'line', lineItemState, productId, quantity: 1 }],
});

interface World {
  orders?: StoreOrder[];
  /** Orders that another consume claims. */
  claimed?: string[];
  others?: Stored[];
  purchaseKey?: boolean;
  /** How long each read or write of a line takes. */
  lineMs?: number;
}

/** The parts of a conclusion, over an order list and claims in memory. */
function partsOf({ orders = [], claimed = [], others = [], purchaseKey = true, lineMs = 0 }: World) {
  const clock = testClock();
  const claims: StoredClaim[] = [];
  const reads: string[] = [];
  const lines: OrderLinesTable = {
    claim: async (claim) => {
      clock.advance(lineMs);
      claims.push({ ...claim, claimedAt: String(claims.length).padStart(6, '0') });
    },
    unclaim: async ({ orderId, trackingId, userId }) => {
      const index = claims.findIndex(
        (one) => one.orderId === orderId && one.trackingId === trackingId && one.userId === userId,
      );
      if (index >= 0) claims.splice(index, 1);
    },
    claims: async (orderId, lineItemId) => {
      clock.advance(lineMs);
      reads.push(orderId);
      const other = {
        userId: 'u',
        account: 'default',
        trackingId: 'other',
        productId: 'GEMS',
        lineItemId,
        quantity: 1,
      };
      const own = claims.filter((claim) => claim.orderId === orderId);
      return claimed.includes(orderId) ? [...own, { ...other, orderId, claimedAt: '0' }] : own;
    },
    remember: async () => undefined,
  };
  const seen = { marks: () => new Set<string>(), add: async () => 'full' as const };
  const key = { account: 'default', current: () => 'key', replace: async () => undefined, seen };
  const noKey = () => Promise.reject(new Problem('unknown_user', 'no purchase key'));
  const parts = {
    clock,
    lines,
    keyring: {
      forUser: purchaseKey ? async () => key : noKey,
      forAllAccounts: async () => [key],
      fromRequest: () => key,
    },
    purchase: { queryOrders: async () => orders, grant: () => Promise.reject(new Error('not used')) },
    pendingRecords: {
      pendingOfUser: async () => others.map(({ userId, id }) => ({ userId, id })),
      get: async (_: string, id: string) => others.find((one) => one.id === id),
    },
  };
  const call = (ms = 10_000) => testCall({ deadline: clock.now() + ms });
  return { parts, clock, claims, reads, call };
}

/** Concludes as the engine does, which keeps what is written before. */
const conclude = async (
  ...[parts, call, record, result]: Parameters<typeof concludeConsume> extends [...infer Args, unknown] ? Args : never
) => {
  const conclusion = await concludeConsume(parts, call, record, result, async (kept) => kept);
  return conclusion ?? expect.fail('settled by another');
};

const lost: ConsumeResult = { newQuantity: 0, orders: [] };
const claimedOrders = (claims: LineClaim[]) => claims.map(({ orderId }) => orderId);

test('the first free line ends the search, and is claimed', async () => {
  const orders = Array.from({ length: 200 }, (_, index) => orderOf(index));
  const { parts, claims, reads, call } = partsOf({
    orders,
    claimed: orders.slice(0, 20).map(({ orderId }) => orderId),
  });
  const conclusion = await conclude(parts, call(), recordOf('mine'), lost);
  expect(conclusion).toMatchObject({
    concluded: true,
    result: { orders: [{ orderId: 'order-20', matchedBy: 'orders' }] },
  });
  expect(claimedOrders(claims)).toEqual(['order-20']);
  // Batches of 16, and the claims of the line once more.
  expect(reads).toHaveLength(32 + 1);
});

test('a search that outlasts its time goes on where it stopped', async () => {
  const orders = Array.from({ length: 200 }, (_, index) => orderOf(index));
  const claimed = orders.slice(0, 190).map(({ orderId }) => orderId);
  const { parts, claims, reads, call } = partsOf({ orders, claimed, lineMs: 10 });
  let result = lost;
  let rounds = 0;
  for (;;) {
    rounds += 1;
    const conclusion = await conclude(parts, call(1000), recordOf('mine'), result);
    result = conclusion.result;
    if (conclusion.concluded) break;
    expect(conclusion.reason).toBe('in_progress');
    expect(rounds).toBeLessThan(5);
  }
  expect(rounds).toBeGreaterThan(1);
  expect(result).toEqual({
    newQuantity: 0,
    orders: [{ orderId: 'order-190', lineItemId: 'line', quantity: 1, matchedBy: 'orders' }],
  });
  expect(claimedOrders(claims)).toEqual(['order-190']);
  expect(new Set(reads).size).toBe(reads.length - 1);
});

test('a line that was refunded after the consume is the best proof; the own claim of an earlier attempt counts more', async () => {
  const orders = [orderOf(1), orderOf(2), orderOf(3, 'Revoked', 'gems')];
  const revoked = partsOf({ orders });
  const found = await conclude(revoked.parts, revoked.call(), recordOf('mine'), lost);
  expect(found.result.orders).toMatchObject([{ orderId: 'order-3' }]);
  const again = partsOf({ orders });
  await again.parts.lines.claim({
    userId: 'u',
    account: 'default',
    trackingId: 'mine',
    productId: 'GEMS',
    orderId: 'order-1',
    lineItemId: 'line',
    quantity: 1,
  });
  const own = await conclude(again.parts, again.call(), recordOf('mine'), lost);
  expect(own.result.orders).toMatchObject([{ orderId: 'order-1' }]);
});

test('without a purchase key it is not decided', async () => {
  const { parts, claims, call } = partsOf({ orders: [orderOf(1)], purchaseKey: false });
  await expect(conclude(parts, call(), recordOf('mine'), lost)).rejects.toMatchObject({ code: 'unknown_user' });
  expect(claims).toEqual([]);
});

test.each([
  ['is under way: nothing is decided', 0, 'default', 'gems', true],
  ['may be under way in a process whose clock is late: nothing is decided', 60_000 + 90_000, 'default', 'GEMS', true],
  ['was under way minutes ago', 60_000 + 121_000, 'default', 'GEMS', false],
  ['is one of another account', 0, 'second', 'GEMS', false],
  ['is one of another product', 0, 'default', 'COINS', false],
])('another consume of the user %s', async (_says, ageMs, account, productId, waits) => {
  const world = partsOf({ orders: [orderOf(1)] });
  const other = recordOf('other', { account, productId }, world.clock.now() - ageMs);
  const { parts, call } = partsOf({ orders: [orderOf(1)], others: [other] });
  const concluding = conclude(parts, call(), recordOf('mine'), lost);
  if (waits) await expect(concluding).rejects.toMatchObject({ code: 'store_unavailable' });
  else expect(await concluding).toMatchObject({ concluded: true });
});

test('a consume whose attempt has ended does not hold others up', async () => {
  const ended = { ...recordOf('other', {}, testClock().now()), leaseExpiresAt: 0 };
  const { parts, call } = partsOf({ orders: [orderOf(1)], others: [ended] });
  expect(await conclude(parts, call(), recordOf('mine'), lost)).toMatchObject({ concluded: true });
});

test('thousands of lines are claimed in several attempts, each line once', async () => {
  const orders = Array.from({ length: 5000 }, (_, index) => {
    return { orderId: `order-${index}`, lineItemId: 'line', quantity: 1 };
  });
  const { parts, claims, call } = partsOf({ lineMs: 1 });
  const record = recordOf('many', { managedBy: 'store', productId: 'COINS', quantity: 5000 });
  let result: ConsumeResult = { newQuantity: 0, orders };
  const reached: (number | undefined)[] = [];
  for (let rounds = 0; rounds < 10; rounds += 1) {
    const conclusion = await conclude(parts, call(1500), record, result);
    result = conclusion.result;
    reached.push(result.progress?.claimedLines);
    if (conclusion.concluded) break;
  }
  expect(result).toEqual({ newQuantity: 0, orders });
  expect(reached).toEqual([1504, 3008, 4512, undefined]);
  expect(claims).toHaveLength(5000);
  expect(new Set(claimedOrders(claims)).size).toBe(5000);
});

test('the order ids of a developer-managed consume are written before a line is claimed, and those that were written first count', async () => {
  const { parts, claims, call } = partsOf({ orders: [orderOf(0), orderOf(1)] });
  const fromStore = { newQuantity: 0, orders: [{ orderId: 'order-1', lineItemId: 'line', quantity: 1 }] };
  const fromMatch = { newQuantity: 0, orders: [{ orderId: 'order-0', lineItemId: 'line', quantity: 1 }] };
  const kept: ConsumeResult[] = [];
  const first = await concludeConsume(parts, call(), recordOf('mine'), fromStore, async (result) => {
    expect(claims).toEqual([]);
    kept.push(result);
    return fromMatch;
  });
  expect(kept).toEqual([fromStore]);
  expect(first).toEqual({ concluded: true, result: fromMatch });
  expect(claimedOrders(claims)).toEqual(['order-0']);
  // What another attempt knows without ids does not take the place of ids.
  let rounds = 0;
  const second = await concludeConsume(parts, call(), recordOf('other'), fromStore, async (result) => {
    rounds += 1;
    return rounds === 1 ? lost : result;
  });
  expect([rounds, second?.result]).toEqual([2, fromStore]);
  const settled = await concludeConsume(parts, call(), recordOf('settled'), fromStore, async () => null);
  expect([settled, claims.length]).toEqual([null, 2]);
});

test('ids of a consume with an X-token are not looked for in the orders of the stored key', async () => {
  const { parts, claims, call } = partsOf({ orders: [orderOf(1)], purchaseKey: false });
  const byToken = { ...recordOf('mine'), byRequestIdentity: true };
  expect(await conclude(parts, call(), byToken, lost)).toMatchObject({ concluded: true, result: { orders: [] } });
  expect(claims).toEqual([]);
});

test('what was bought after the Store had done it is not what was consumed', async () => {
  const { parts, call } = partsOf({ orders: [orderOf(1), orderOf(100_000, 'Revoked')] });
  const done = { ...lost, progress: { doneBy: 5000 } };
  expect((await conclude(parts, call(), recordOf('mine'), done)).result.orders).toMatchObject([{ orderId: 'order-1' }]);
});

test('a pending consume that knows its orders but has not claimed them holds others up', async () => {
  const known = { ...recordOf('other'), leaseExpiresAt: 0 };
  const orders = [{ orderId: 'order-1', lineItemId: 'line', quantity: 1 }];
  const { parts, call } = partsOf({ orders: [orderOf(1)], others: [{ ...known, result: { newQuantity: 0, orders } }] });
  await expect(conclude(parts, call(), recordOf('mine'), lost)).rejects.toMatchObject({ code: 'store_unavailable' });
});

test('of two players of one Store account who match the same line at once, the one who claimed it first keeps it', async () => {
  const { parts, claims, call } = partsOf({ orders: [orderOf(0), orderOf(1)] });
  const { claims: readClaims } = parts.lines;
  const other = { ...recordOf('theirs'), userId: 'another player' };
  // Both read the claims before either claims.
  let reads = 0;
  parts.lines.claims = async (...line) => {
    reads += 1;
    const isFirst = reads === 1;
    const found = await readClaims(...line);
    if (isFirst) await conclude({ ...parts, lines: { ...parts.lines, claims: readClaims } }, call(), other, lost);
    return found;
  };
  const record = recordOf('mine');
  const first = await conclude(parts, call(), record, lost);
  expect(first).toEqual({
    concluded: false,
    reason: 'in_progress',
    result: { newQuantity: 0, orders: [], progress: {} },
  });
  expect(claims.map(({ userId, orderId }) => [userId, orderId])).toEqual([['another player', 'order-0']]);
  const second = await conclude(parts, call(), { ...record, result: first.result }, first.result);
  expect(second).toMatchObject({ concluded: true, result: { orders: [{ orderId: 'order-1' }] } });
});

test('an attempt that knows order ids goes on with them, although a result without ids was kept before', async () => {
  const { parts, claims, call } = partsOf({ orders: [orderOf(0)] });
  const withIds = { newQuantity: 0, orders: [{ orderId: 'order-7', lineItemId: 'line', quantity: 1 }] };
  const record = { ...recordOf('mine'), byRequestIdentity: true, result: lost };
  expect(await conclude(parts, call(), record, withIds)).toEqual({ concluded: true, result: withIds });
  expect(claimedOrders(claims)).toEqual(['order-7']);
  const kept = { ...recordOf('known'), result: withIds };
  expect((await conclude(parts, call(), kept, lost)).result).toEqual(withIds);
});
