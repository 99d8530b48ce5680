import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf } from '../../../src/shared/consume/match.ts';
import { Problem } from '../../../src/shared/contract/problems.ts';
import { createEntitlementsQuery } from '../../../src/shared/entitlements/query.ts';
import { createGamePassQuery } from '../../../src/shared/gamePass/query.ts';
import { grantOutcome } from '../../../src/shared/grants/outcome.ts';
import { createEntra } from '../../../src/shared/identity/entra.ts';
import { systemClock } from '../../../src/shared/lib/clock.ts';
import { createAskStore, type UserKey } from '../../../src/shared/store/authorize.ts';
import { createCollectionsApi } from '../../../src/shared/store/collections.ts';
import { createPurchaseApi } from '../../../src/shared/store/purchase.ts';
import type { Keyring } from '../../../src/shared/storeIds/keyring.ts';
import { testCall, testClock } from '../../support/call.ts';
import { oddly } from '../../support/oddAnswers.ts';
import { answer } from '../../support/storeAnswer.ts';
import { oddAnswers } from '../../support/thorough.ts';

const call = testCall();
const userKey: UserKey = { current: () => 'key', replace: async () => undefined };
const keyring = { forUser: async () => userKey } as unknown as Keyring;

/** The APIs of a Store that gives this answer. */
function storeThatAnswers(body: unknown, status = 200) {
  const expiresAt = systemClock.now() + 3_600_000;
  const entra = createEntra(async () => ({ token: 'token', expiresOnTimestamp: expiresAt }), systemClock);
  const ask = createAskStore(async () => answer(status, body), entra, systemClock);
  return {
    collections: createCollectionsApi(ask, 'https://store.example'),
    purchase: createPurchaseApi(ask, 'https://store.example'),
  };
}

/** What came back, or undefined for an answer that counts as none. Anything else fails the test. */
const unlessUnreadable = <Value>(work: Promise<Value>): Promise<Value | undefined> =>
  work.catch((fault: unknown) => {
    if (fault instanceof Problem && fault.code === 'store_unavailable') return undefined;
    throw fault;
  });

const never = (documented: object, optional: string[], check: (body: unknown) => Promise<void>) =>
  fc.assert(fc.asyncProperty(oddly(documented, optional), check), { numRuns: oddAnswers });

const item = (productId: string, more: object = {}) => ({
  id: `id of ${productId}`,
  productId,
  skuId: '0010',
  productKind: 'Durable',
  status: 'Active',
  quantity: 4,
  acquiredDate: '2026-01-02T03:04:05.6785331+00:00',
  startDate: '2026-01-02T03:04:05.6785331+00:00',
  endDate: '2027-01-02T03:04:05.6785331+00:00',
  modifiedDate: '2026-01-02T03:04:05.6785331+00:00',
  acquisitionType: 'Single',
  satisfiedByProductIds: ['CLUB', 'BUNDLE'],
  recurrenceData: { recurrenceId: 'mdr:0:1:2' },
  transactionId: 'order',
  trialData: { isTrial: true, isInTrialPeriod: true, trialTimeRemaining: '01:00:00:00.0' },
  ...more,
});

const pageMembers = ['items', 'continuationToken'];

test('entitlements: every product is there, and each member is right or its default', async () => {
  const query = (body: unknown) =>
    createEntitlementsQuery({
      clock: testClock(),
      sandbox: 'RETAIL',
      keyring,
      collections: storeThatAnswers(body).collections,
      remember: async () => undefined,
    })(call, {
      userId: 'u',
      products: [{ productId: 'SWORD' }, { productId: 'HAT' }],
      validity: 'Valid',
      excludeDuplicates: true,
      api: 'v9',
    });
  const documented = { items: [item('SWORD'), item('HAT')] };
  const { items: right } = await query(documented);
  expect(right).toHaveLength(2);
  const bare = { items: [{ productId: 'SWORD' }, { productId: 'HAT' }] };
  const { items: defaults } = await query(bare);
  await never(documented, pageMembers, async (body) => {
    const found = await unlessUnreadable(query(body));
    if (!found) return;
    expect(found.items).toHaveLength(2);
    for (const [index, entitlement] of found.items.entries()) {
      const { trial, satisfiedBy, ...members } = entitlement;
      for (const [name, value] of [...Object.entries(members), ...Object.entries(trial)]) {
        const allowed = [right, defaults].map((items) => ({ ...items[index], ...items[index]?.trial }) as object);
        expect(
          allowed.map((one) => (one as Record<string, unknown>)[name]),
          name,
        ).toContainEqual(value);
      }
      expect(['CLUB', 'BUNDLE']).toEqual(expect.arrayContaining(satisfiedBy));
    }
  });
});

test('Game Pass: subscribed to both tiers, or an error', async () => {
  const documented = {
    items: ['CFQ7TTC0KGQ8', 'CFQ7TTC0KHS0'].map((productId) => item(productId, { skuId: '', productKind: 'Pass' })),
  };
  await never(documented, pageMembers, async (body) => {
    const { collections } = storeThatAnswers(body);
    const query = createGamePassQuery({ clock: testClock(), sandbox: 'RETAIL', keyring, collections });
    const found = await unlessUnreadable(query(call, { userId: 'u', tiers: ['PC', 'Ultimate', 'Starter'] }));
    if (found) expect([found.subscribed, found.tiers.map(({ tier }) => tier)]).toEqual([true, ['PC', 'Ultimate']]);
  });
});

const trackingId = 'b5a1c9b0-0000-4000-8000-000000000001';
const orderTransactions = [
  { orderId: 'order1', orderLineItemId: 'line1', quantityConsumed: 2 },
  { orderId: 'order2', orderLineItemId: 'line2', quantityConsumed: 3 },
];

test.each([
  ['store', 5, { newQuantity: 7, orderTransactions }],
  ['developer', undefined, { newQuantity: 0, orderTransactions: [{ ...orderTransactions[0], quantityConsumed: 1 }] }],
])('a %s-managed consume: the balance and every order line, or an error', async (_by, removeQuantity, right) => {
  const documented = { itemId: 'i', productId: 'COINS', trackingId, ...right };
  const order = { productId: 'COINS', trackingId, sandbox: 'RETAIL', ...(removeQuantity && { removeQuantity }) };
  await never(documented, ['orderTransactions'], async (body) => {
    const consumed = await unlessUnreadable(storeThatAnswers(body).collections.consume(call, userKey, order));
    if (consumed) expect(consumed).toEqual(right);
  });
});

test('a grant: completed or not yet known, never rejected', async () => {
  const line = { lineItemId: 'l', productId: 'FREE', skuId: '0010', availabilityId: 'A', quantity: 1 };
  const documented = { orderId: 'o', orderState: 'Purchased', createdTime: '2026-01-01', orderLineItems: [line] };
  const order = {
    productId: 'FREE',
    skuId: '0010',
    availabilityId: 'A',
    orderId: 'o',
    language: 'en-us',
    market: 'us',
  };
  await never(documented, ['orderLineItems'], async (body) => {
    const { purchase } = storeThatAnswers(body, 201);
    const granted = await unlessUnreadable(purchase.grant(call, userKey, { ...order, sandbox: 'RETAIL' }));
    if (!granted) return;
    const outcome = grantOutcome(granted.value, granted.info);
    const skuId = granted.value.orderLineItems?.[0]?.skuId ?? null;
    expect(outcome).toEqual({
      outcome: 'completed',
      result: { orderState: 'Purchased', lineItems: [{ lineItemId: 'l', productId: 'FREE', skuId, quantity: 1 }] },
    });
    expect(['0010', null]).toContain(skuId);
  });
});

test('orders: every line of the product, or an error', async () => {
  const line = (lineItemId: string) => {
    return { lineItemId, lineItemState: 'Purchased', productId: 'GEMS', skuId: '0010', quantity: 1 };
  };
  const orders = ['1', '2'].map((id) => {
    const orderPurchasedDate = `2026-01-0${id}T00:00:00.0000000+00:00`;
    return { orderId: `order${id}`, shortOrderId: id, orderPurchasedDate, orderLineItems: [line(`line${id}`)] };
  });
  await never({ items: orders }, [...pageMembers, 'orderLineItems'], async (body) => {
    const { purchase } = storeThatAnswers(body);
    const states = ['Purchased' as const];
    const found = await unlessUnreadable(purchase.queryOrders(call, userKey, { states, sandbox: 'RETAIL' }));
    if (!found) return;
    const lines = linesOf(found, 'GEMS').map(({ orderId, lineItemId, quantity }) => [orderId, lineItemId, quantity]);
    expect(lines.sort()).toEqual([
      ['order1', 'line1', 1],
      ['order2', 'line2', 1],
    ]);
  });
});
