import { expect, test } from 'vitest';
import { asked, expectProblem, keysOf, query, register, stack, useStack } from './harness.ts';

useStack();

test('a query does not wait for the renewal of a due key, and the next one not at all', async () => {
  await register('hanging', { issuedAt: new Date(Date.now() - 20 * 24 * 3600_000).toISOString() });
  stack.store.control.addFault({ operation: 'renew', latencyMs: 30_000, times: null });
  const started = Date.now();
  expect((await query({ userId: 'hanging', products: ['A'] })).status).toBe(200);
  expect(Date.now() - started).toBeLessThan(10_000);
  const again = Date.now();
  expect((await query({ userId: 'hanging', products: ['A'] })).status).toBe(200);
  expect(Date.now() - again).toBeLessThan(3000);
  expect(asked('renew')).toBe(1);
});

test('a body that never ends is store_unavailable within the minute', async () => {
  stack.store.control.addFault({ operation: 'publisherQuery', endlessBody: true, times: null });
  const started = Date.now();
  expectProblem(await query({ collectionsId: keysOf('u').collectionsId, products: ['A'] }), 503, 'store_unavailable');
  expect(Date.now() - started).toBeLessThan(60_000);
});
