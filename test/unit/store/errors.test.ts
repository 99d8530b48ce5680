import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  isStoreRefusal,
  problemFromResponse,
  problemFromXTokenResponse,
  retryAfterOf,
  storeErrorInfo,
} from '../../../src/shared/store/errors.ts';
import { StoreNoResponseError } from '../../../src/shared/store/response.ts';
import { answer } from '../../support/storeAnswer.ts';

const now = Date.parse('2026-11-22T06:35:00.000Z');

test.each([
  ['120', 120],
  ['0', 0],
  ['1.5', 2],
  [' 7 ', 7],
  ['Sun, 22 Nov 2026 06:35:30 GMT', 30],
  ['Sun, 22 Nov 2026 06:30:00 GMT', 0],
  ['-5', null],
  ['5, 7', null],
  ['soon', null],
  ['99999999999999', null],
  ['', null],
])('Retry-After: %j is %j seconds', (value, seconds) => {
  expect(retryAfterOf({ 'retry-after': value }, now)).toBe(seconds);
});

const nothing = { code: null, message: null };

test.each<[unknown, object]>([
  [undefined, nothing],
  [null, nothing],
  ['Bad Gateway', nothing],
  [[{ code: 'x' }], nothing],
  [{}, nothing],
  [
    { code: 'BadRequest', message: 'no' },
    { code: 'BadRequest', message: 'no' },
  ],
  [
    { code: 'BadRequest', message: 'no', innererror: null },
    { code: 'BadRequest', message: 'no' },
  ],
  [{ code: 'BadRequest', innererror: 'x' }, { code: 'BadRequest' }],
  [
    { code: 'BadRequest', innererror: { code: null, message: 'inner', data: 5 } },
    { code: 'BadRequest', message: 'inner' },
  ],
  [{ code: null, innererror: { code: 'InvalidParameter', data: [null] } }, { code: 'InvalidParameter' }],
  [{ Code: 'BadRequest', InnerError: { Code: 'InvalidParameter' } }, { code: 'InvalidParameter' }],
  [{ code: 42 }, { code: '42' }],
])('what is shown of the error body %j', (body, expected) => {
  expect(storeErrorInfo(400, {}, body)).toMatchObject({ status: 400, ...expected });
});

test('only an error body with a text as code is a refusal of the Store itself', () => {
  for (const body of [{ code: 'BadRequest' }, { Code: 'BadRequest', innererror: [] }])
    expect(isStoreRefusal(answer(400, body))).toBe(true);
  for (const body of [undefined, 'BadRequest', { code: 400 }, { message: 'no' }, [], { code: null }])
    expect(isStoreRefusal(answer(400, body))).toBe(false);
});

test.each([
  [answer(400, { code: 'BadRequest' }), 'store_rejected', /Correct the request/],
  [answer(429, undefined), 'store_throttled', /again after the seconds of Retry-After/],
  [answer(500, undefined), 'store_unavailable', /again after the seconds of Retry-After/],
  [answer(404, undefined), 'store_unavailable', /again after the seconds of Retry-After/],
])('the detail says what to do: %j', (response, code, advice) => {
  for (const problem of [problemFromResponse(response), problemFromXTokenResponse(response)])
    expect(problem).toMatchObject({ code, message: expect.stringMatching(advice) });
  const silent = new StoreNoResponseError(new Error('x'));
  expect(silent.message).toMatch(/again after the seconds of Retry-After/);
});

test('no body breaks the error path', () => {
  const members = fc.constantFrom('code', 'Code', 'message', 'innererror', 'data', 'details', 'source', '__proto__');
  const { body } = fc.letrec((tie) => ({
    body: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), fc.dictionary(members, tie('body'))),
  }));
  fc.assert(
    fc.property(fc.integer({ min: 300, max: 599 }), body, (status, odd) => {
      const response = answer(status, odd);
      expect(response.error.status).toBe(status);
      for (const problem of [problemFromResponse(response), problemFromXTokenResponse(response)])
        expect(problem.details.store).toEqual(response.error);
    }),
  );
});
