import fc from 'fast-check';
import { expect, test } from 'vitest';
import { grantOutcome } from '../../../src/shared/grants/handler.ts';
import { answer, refusal } from '../../support/storeAnswer.ts';

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

test('only the answers that the contract lists are final', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fc.jsonValue(), (status, body) => {
      const { outcome } = grantOutcome(answer(status, body));
      if (outcome === 'rejected') expect([200, 400, 403, 404, 409, 422]).toContain(status);
      if (outcome === 'completed') expect(status).toBe(200);
    }),
  );
});
