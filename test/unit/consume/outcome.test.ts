import fc from 'fast-check';
import { expect, test } from 'vitest';
import { consumeRejection, consumeResult } from '../../../src/shared/consume/outcome.ts';
import { answer, refusal } from '../../support/storeAnswer.ts';

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
])('a consume refused with %i %j', (status, body, code) => {
  expect(consumeRejection(answer(status, body))?.code ?? 'unknown').toBe(code);
});

test('no refusal is final but those that the contract lists', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fc.jsonValue(), (status, body) => {
      if (consumeRejection(answer(status, body))) expect([400, 404]).toContain(status);
    }),
  );
});

test('the order lines of a consume; none if the Store lists none', () => {
  const line = { orderId: 'o', orderLineItemId: 'l', quantityConsumed: 3 };
  expect(consumeResult({ newQuantity: 7, orderTransactions: [line] })).toEqual({
    newQuantity: 7,
    orders: [{ orderId: 'o', lineItemId: 'l', quantity: 3 }],
  });
  expect(consumeResult({ newQuantity: 0, orderTransactions: null })).toEqual({ newQuantity: 0, orders: [] });
});

test('an order line that the Store lists in parts is one line', () => {
  const part = (orderId: string, quantityConsumed: number) => ({ orderId, orderLineItemId: 'l', quantityConsumed });
  const orderTransactions = [part('a', 1), part('B', 1), part('A', 2)];
  expect(consumeResult({ newQuantity: 0, orderTransactions }).orders).toEqual([
    { orderId: 'a', lineItemId: 'l', quantity: 3 },
    { orderId: 'B', lineItemId: 'l', quantity: 1 },
  ]);
});
