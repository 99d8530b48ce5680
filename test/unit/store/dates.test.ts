import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoOf, secondsOf } from '../../../src/shared/store/dates.ts';

test.each([
  ['2021-08-30T21:53:08.2565331+00:00', '2021-08-30T21:53:08.256Z'],
  ['2021-08-30T21:53:08.9999999Z', '2021-08-30T21:53:08.999Z'],
  ['2021-08-30T23:53:08.25+02:00', '2021-08-30T21:53:08.250Z'],
  ['2021-08-30T21:53:08', '2021-08-30T21:53:08.000Z'],
  ['2022-12-09T02:13Z', '2022-12-09T02:13:00.000Z'],
  ['9999-12-31T23:59:59.9999999+00:00', null],
  ['2021-06-142T21:53:08Z', null],
  ['2021-13-01T00:00:00Z', null],
  ['0001-01-01T00:00:00', null],
  ['0001-01-01T00:00:00+00:00', null],
  ['', null],
  [undefined, null],
])('a date of the Store: %s', (text, iso) => {
  expect(isoOf(text)).toBe(iso);
});

test('any date with seven digits is cut to milliseconds', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date('9999-12-30'), noInvalidDate: true }),
      fc.nat(9999),
      (date, rest) => {
        const text = `${date.toISOString().slice(0, -1)}${String(rest).padStart(4, '0')}+00:00`;
        expect(isoOf(text)).toBe(date.toISOString());
      },
    ),
  );
});

test.each([
  ['01:02:03:04.5000000', 93_784],
  ['00:00:00:59.9999999', 59],
  ['30:00:00:00', 2_592_000],
  ['1.02:03:04.5000000', 93_784],
  ['02:03:04.5', 7384],
  ['00:00:00', 0],
  ['-00:00:01.5000000', 0],
  ['-3.00:00:00', 0],
  ['soon', null],
  ['1:2', null],
  ['', null],
  [null, null],
])('a remaining trial: %s', (text, seconds) => {
  expect(secondsOf(text)).toBe(seconds);
});
