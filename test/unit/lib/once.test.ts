import { expect, test } from 'vitest';
import { once, onceAsync } from '../../../src/shared/lib/once.ts';

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

test('a promise is shared while it runs and once it is there; a rejected one is made anew', async () => {
  let calls = 0;
  const make = onceAsync(async () => {
    calls += 1;
    if (calls === 1) throw new Error('not yet');
    return calls;
  });
  const first = [make(), make()];
  for (const one of first) await expect(one).rejects.toThrow('not yet');
  expect(await Promise.all([make(), make()])).toEqual([2, 2]);
  expect(await make()).toBe(2);
});
