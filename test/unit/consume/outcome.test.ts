import fc from 'fast-check';
import { expect, test } from 'vitest';
import { consumeOutcome } from '../../../src/shared/consume/outcome.ts';
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
])('a consume answered with %i %j', (status, body, code) => {
  const outcome = consumeOutcome(answer(status, body));
  expect(outcome.outcome === 'rejected' ? outcome.rejection.code : outcome.outcome).toBe(code);
});

test('only the answers that the contract lists are final', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fc.jsonValue(), (status, body) => {
      const { outcome } = consumeOutcome(answer(status, body));
      if (outcome === 'rejected') expect([400, 404]).toContain(status);
      if (outcome === 'completed') expect(status).toBe(200);
    }),
  );
});
