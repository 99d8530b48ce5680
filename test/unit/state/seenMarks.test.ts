import { expect, test } from 'vitest';
import { createOrderLinesTable, type SeenProduct, seenMark } from '../../../src/shared/state/orderLines.ts';
import { marksIn, marksLimit, withMarks } from '../../../src/shared/state/seenMarks.ts';
import type { OpenTable } from '../../../src/shared/state/tables.ts';

const mark = (n: number): string => n.toString(16).padStart(16, '0');

test('marks are added behind those that are there', () => {
  const one = withMarks(undefined, [mark(1), mark(2)]);
  expect(one).toHaveLength(16);
  const two = withMarks(one, [mark(3)]);
  expect([...marksIn(two)]).toEqual([mark(1), mark(2), mark(3)]);
  expect(withMarks(two, [])).toBeUndefined();
});

test('a full column stays as it is', () => {
  const all = Array.from({ length: marksLimit }, (_, n) => mark(n));
  const full = withMarks(undefined, [...all, mark(marksLimit)]);
  expect([...marksIn(full)]).toEqual(all);
  expect(full).toHaveLength(32_000);
  expect(withMarks(full, [mark(marksLimit)])).toBeUndefined();
});

test('a column that cannot be read counts as empty', () => {
  const cut = new Uint8Array(15);
  expect(marksIn(cut)).toEqual(new Set());
  expect([...marksIn(withMarks(cut, [mark(1)]))]).toEqual([mark(1)]);
});

test('two products have one mark exactly if they have one row', async () => {
  const keys: string[] = [];
  const openTable = (() => ({
    upsert: async ({ partitionKey, rowKey }: { partitionKey: string; rowKey: string }) => {
      keys.push(JSON.stringify([partitionKey, rowKey]));
    },
  })) as unknown as OpenTable;
  const table = createOrderLinesTable(openTable);
  const causes = ['o-1', 'O-1', 'o/1', 'O/1'].flatMap((id) => [{ orderId: id }, { recurrenceId: id }]);
  const products = ['P', 'p', 'P/', 'p/', 'Q'];
  const all = ['u', 'U'].flatMap((userId) =>
    ['default', 'second'].flatMap((account) =>
      products.flatMap((productId) => causes.map((cause): SeenProduct => ({ userId, account, productId, cause }))),
    ),
  );
  for (const seen of all) await table.remember(seen);
  const marks = all.map(seenMark);
  expect(new Set(marks).size).toBe(new Set(keys).size);
  const pairs = new Set(marks.map((one, index) => `${one} ${keys[index]}`));
  // 2 users, 3 products, 4 causes.
  expect(pairs.size).toBe(24);
  expect(new Set(marks).size).toBe(24);
});
