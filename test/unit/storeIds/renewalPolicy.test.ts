import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  afterProvenRefusal,
  countsAgainstKey,
  mayRenew,
  type RefusalHistory,
  renewalFaultOf,
} from '../../../src/shared/storeIds/renewalPolicy.ts';
import { answer, refusal } from '../../support/storeAnswer.ts';
import { day, minute, refused } from './world.ts';

const start = Date.parse('2026-11-22T06:35:00.000Z');
const unknown: RefusalHistory = { unrenewable: false };

test('a key ends exactly when two proven refusals are ten minutes or more apart', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30 * minute), { maxLength: 8 }), (pauses) => {
      let at = start;
      const times = pauses.map((pause) => {
        at += pause;
        return at;
      });
      const history = times.reduce(afterProvenRefusal, unknown);
      const [first = start, last = start] = [times[0], times.at(-1)];
      expect(history.unrenewable).toBe(times.length > 1 && last - first >= 10 * minute);
    }),
  );
});

test('refusals that are recorded in another order, or by a clock that is behind, do not end a key early', () => {
  const later = afterProvenRefusal(unknown, start);
  expect(afterProvenRefusal(later, start - 20 * minute)).toEqual(later);
});

test('an unrenewable key is tried again a day after its latest refusal', () => {
  const ended = { unrenewable: true, refusedAt: start };
  expect([mayRenew(ended, start + day - 1), mayRenew(ended, start + day)]).toEqual([false, true]);
  const again = afterProvenRefusal(ended, start + day);
  expect([mayRenew(again, start + 2 * day - 1), mayRenew(again, start + 2 * day)]).toEqual([false, true]);
  expect(mayRenew({ unrenewable: true }, start)).toBe(true);
  expect(mayRenew({ unrenewable: false, refusedAt: start }, start)).toBe(true);
});

const nothing = 'neither JSON nor empty';
test.each([
  [refused('AuthenticationTokenInvalid'), 'undecided', true],
  [refused('authenticationtokeninvalid'), 'undecided', true],
  [refused('AuthenticationFailure', ['B2B key : IDX10511']), 'key', true],
  [refused('AuthenticationFailure', ['InternalServerError']), 'store', false],
  [refused('AuthenticationFailure'), 'undecided', false],
  [refused('InconsistentClientId'), 'service', false],
  [refused('PartnerAadTicketRequired'), 'service', false],
  [answer(401, nothing), 'undecided', false],
  [answer(400, refusal('BadRequest', 'InvalidParameter')), 'other', false],
  [answer(403, nothing), null, false],
  [answer(404, ''), null, false],
  [answer(429, refusal('TooManyRequests')), null, false],
  [answer(500, refusal('InternalServerError', 'UnknownInternalFailure')), null, false],
])('what a refused renewal says: case %#', (response, about, counts) => {
  expect([renewalFaultOf(response), countsAgainstKey(response)]).toEqual([about, counts]);
});
