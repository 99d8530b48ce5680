import { expect, test } from 'vitest';
import { FailureMemory } from '../../../src/shared/lib/failureMemory.ts';
import { testClock } from '../../support/call.ts';

test('a failure is remembered for its time, by key', () => {
  const clock = testClock();
  const memory = new FailureMemory<string>(clock);
  memory.remember('a', 'down', 1000);
  clock.advance(999);
  expect(memory.recall('a')).toEqual({ failure: 'down', leftMs: 1 });
  expect(memory.recall('b')).toBeUndefined();
  clock.advance(1);
  expect(memory.recall('a')).toBeUndefined();
});

test('of more failures than it takes, the oldest are forgotten', () => {
  const memory = new FailureMemory<number>(testClock(), 2);
  for (const [index, key] of ['a', 'b', 'a', 'c'].entries()) memory.remember(key, index, 1000);
  expect(['a', 'b', 'c'].map((key) => memory.recall(key)?.failure)).toEqual([2, undefined, 3]);
});
