import fc from 'fast-check';
import { expect, test } from 'vitest';
import { grantOutcome, grantRejection } from '../../../src/shared/grants/outcome.ts';
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
])('a grant refused with %i %j', (status, body, code) => {
  expect(grantRejection(answer(status, body))?.code ?? 'unknown').toBe(code);
});

test.each([
  ['Purchased', 'completed'],
  ['Canceled', 'rejected'],
  ...['Editing', 'CheckingOut', 'Pending', 'Refunded', 'ChargedBack', 'Novel'].map(
    (state) => [state, 'unknown'] as const,
  ),
] as const)('an order in the state %s is %s', (orderState, expected) => {
  const { error } = answer(200, {});
  const outcome = () => grantOutcome({ orderState }, error).outcome;
  if (expected === 'unknown') expect(outcome).toThrow(expect.objectContaining({ code: 'store_unavailable' }));
  else expect(outcome()).toBe(expected);
});

test('no refusal is final but those that the contract lists', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fc.jsonValue(), (status, body) => {
      if (grantRejection(answer(status, body))) expect([400, 403, 404, 409, 422]).toContain(status);
    }),
  );
});
