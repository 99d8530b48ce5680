import { expect, test } from 'vitest';
import { expectProblem, keysOf, query, stack, useStack } from './harness.ts';

useStack();

test('a body that never ends is store_unavailable within the minute', async () => {
  stack.store.control.addFault({ operation: 'publisherQuery', endlessBody: true, times: null });
  const started = Date.now();
  expectProblem(await query({ collectionsId: keysOf('u').collectionsId, products: ['A'] }), 503, 'store_unavailable');
  expect(Date.now() - started).toBeLessThan(60_000);
}, 70_000);
