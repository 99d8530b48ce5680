import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf, lineToClaim } from '../../../src/shared/consume/match.ts';
import { consumeOutcome } from '../../../src/shared/consume/outcome.ts';
import { grantOutcome } from '../../../src/shared/grants/handler.ts';
import { statementOf } from '../../../src/shared/store/errors.ts';
import type { StoreAnswer } from '../../../src/shared/store/transport.ts';

const answer = (status: number, body: unknown): StoreAnswer => ({
  ...{ status, body, retryAfterSeconds: null },
  statement: statementOf(status, {}, body),
});
const refusal = (code: string, inner?: string) => ({
  code,
  data: [],
  details: [],
  ...(inner !== undefined && { innererror: { code: inner } }),
});

test.each([
  [400, refusal('BadRequest', 'InsufficientConsumeQuantity'), 'insufficient_quantity'],
  [400, refusal('BadRequest', 'insufficientConsumeQuantity'), 'insufficient_quantity'],
  [400, refusal('BadRequest', 'InvalidParameter'), 'store_rejected'],
  [400, refusal('InvalidParameter'), 'store_rejected'],
  [404, refusal('NotFound'), 'insufficient_quantity'],
  [404, { message: 'no code' }, 'unknown'],
  [404, { code: 404 }, 'unknown'],
  [404, undefined, 'unknown'],
  [400, refusal('BadRequest'), 'unknown'],
  [401, refusal('Unauthorized', 'InvalidParameter'), 'unknown'],
  [403, refusal('Forbidden'), 'unknown'],
  [409, refusal('Conflict'), 'unknown'],
  [429, refusal('TooManyRequests'), 'unknown'],
  [500, refusal('BadRequest', 'InsufficientConsumeQuantity'), 'unknown'],
  [204, undefined, 'unknown'],
  [302, refusal('Moved'), 'unknown'],
])('a consume answered with %i %j', (status, body, code) => {
  const outcome = consumeOutcome(answer(status, body));
  expect(outcome.outcome === 'rejected' ? outcome.rejection.code : outcome.outcome).toBe(code);
});

test.each([
  ...[400, 403, 404, 409, 422].map((status) => [status, refusal('Whatever'), 'store_rejected'] as const),
  ...['AuthenticationTokenInvalid', 'partnerAadTicketRequired', 'InconsistentClientId', 'AuthenticationFailure'].map(
    (inner) => [403, refusal('Forbidden', inner), 'unknown'] as const,
  ),
  [400, undefined, 'unknown'] as const,
  [401, refusal('Unauthorized'), 'unknown'] as const,
  [410, refusal('Gone'), 'unknown'] as const,
  [429, refusal('TooManyRequests'), 'unknown'] as const,
  [200, { orderState: 'Purchased' }, 'completed'] as const,
  [200, { orderState: 'Canceled' }, 'store_rejected'] as const,
  ...['Editing', 'CheckingOut', 'Pending', 'Refunded', 'ChargedBack', 'Novel'].map(
    (orderState) => [200, { orderState }, 'unknown'] as const,
  ),
  [200, {}, 'unknown'] as const,
])('a grant answered with %i %j', (status, body, code) => {
  const outcome = grantOutcome(answer(status, body));
  expect(outcome.outcome === 'rejected' ? outcome.rejection.code : outcome.outcome).toBe(code);
});

test('no answer whatever is final but those that the contract lists', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fc.jsonValue(), (status, body) => {
      const consumed = consumeOutcome(answer(status, body));
      if (consumed.outcome === 'rejected') expect([400, 404]).toContain(status);
      if (consumed.outcome === 'completed') expect(status).toBe(200);
      const granted = grantOutcome(answer(status, body));
      if (granted.outcome === 'rejected') expect([200, 400, 403, 404, 409, 422]).toContain(status);
    }),
  );
});

test('a line to claim: the own one of an earlier try, else the first that is not claimed whole', () => {
  const line = (lineItemId: string, quantity: number) => ({ orderId: 'o', lineItemId, quantity, purchasedAt: '' });
  const claim = (trackingId: string, quantity = 1) => ({
    ...{ userId: 'u', account: 'default', trackingId, productId: 'P', orderId: 'o', lineItemId: '', quantity },
  });
  const lines = [line('a', 1), line('b', 2), line('c', 1)];
  const mine = { userId: 'u', id: 'mine' };
  const picked = (...claims: ReturnType<typeof claim>[][]) => lineToClaim(lines, claims, mine)?.lineItemId;
  expect(picked([], [], [])).toBe('a');
  expect(picked([claim('x')], [claim('y')], [])).toBe('b');
  expect(picked([claim('x')], [claim('y', 2)], [])).toBe('c');
  expect(picked([], [], [claim('mine')])).toBe('c');
  expect(picked([claim('x')], [claim('y', 2)], [claim('z')])).toBeUndefined();
  expect(lineToClaim(lines, [[{ ...claim('mine'), userId: 'other' }], [], []], mine)?.lineItemId).toBe('b');
});

test('lines to match with: purchased ones of the product, the oldest first', () => {
  const line = (lineItemId: string, productId: string, lineItemState: string) => ({
    lineItemId,
    productId,
    lineItemState,
    quantity: null,
  });
  const pages = [
    { items: [{ orderId: 'o3', orderPurchasedDate: '2026-03-01', orderLineItems: [line('c', 'GEMS', 'Purchased')] }] },
    {
      items: [
        {
          orderId: 'o1',
          orderPurchasedDate: '2026-01-01',
          orderLineItems: [line('a', 'GEMS', 'Purchased'), line('b', 'COINS', 'Purchased')],
        },
        { orderId: 'o2', orderPurchasedDate: '2026-02-01', orderLineItems: [line('r', 'GEMS', 'Refunded')] },
      ],
    },
  ];
  expect(linesOf(pages, 'GEMS').map(({ orderId, lineItemId, quantity }) => [orderId, lineItemId, quantity])).toEqual([
    ['o1', 'a', 1],
    ['o3', 'c', 1],
  ]);
});
