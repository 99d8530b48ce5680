import { expect, test } from 'vitest';
import { countOf, flagOf, memberReader, spelledAs, textsOf } from '../../../src/shared/store/answer.ts';

const read = memberReader(['orderId', 'state']);

test('members are found in any capitalisation; absent ones are null, others are dropped', () => {
  expect(read({ OrderID: 'o', other: 1 })).toEqual({ orderId: 'o', state: null });
  expect(read(JSON.parse('{"__proto__": {"orderId": "o"}, "state": null}'))).toEqual({ orderId: null, state: null });
});

test('of a member that is there twice, the documented capitalisation counts, and null counts as absent', () => {
  expect(read({ ORDERID: 'a', orderId: 'b' })?.orderId).toBe('b');
  expect(read({ orderId: 'b', ORDERID: 'a' })?.orderId).toBe('b');
  expect(read({ ORDERID: 'a', orderId: null })?.orderId).toBe('a');
  expect(read({ orderId: null, ORDERID: 'a' })?.orderId).toBe('a');
});

test.each([null, undefined, 'text', 5, [], [{ orderId: 'o' }]])('%j is no object', (input) => {
  expect(read(input)).toBeUndefined();
});

test.each([
  [5, 5],
  ['5', 5],
  [' 5 ', 5],
  ['5.0', 5],
  ['-2', -2],
  [5.5, null],
  ['5.5', null],
  ['', null],
  ['1e3', null],
  ['99999999999999999999', null],
  [1e300, null],
  [true, null],
  [null, null],
])('the count of %j is %j', (value, count) => {
  expect(countOf(value)).toBe(count);
});

test('other readings: booleans as text, the texts of a list, documented spellings', () => {
  expect([true, 'true', 'True', 'false', 1, null].map(flagOf)).toEqual([true, true, true, false, false, false]);
  expect([textsOf(['a', null, 5, '', 'b']), textsOf('a'), textsOf(null)]).toEqual([['a', 'b'], [], []]);
  expect(['PURCHASED', 'Novel'].map((one) => spelledAs(['Purchased'], one))).toEqual(['Purchased', 'Novel']);
});
