import { expect, test } from 'vitest';
import { once } from '../../../src/shared/lib/once.ts';

test('a value is made once, undefined too; a failure is not remembered', () => {
  let calls = 0;
  const make = once(() => {
    calls += 1;
    if (calls === 1) throw new Error('not yet');
    return undefined;
  });
  expect(make).toThrow('not yet');
  expect([make(), make()]).toEqual([undefined, undefined]);
  expect(calls).toBe(2);
});
