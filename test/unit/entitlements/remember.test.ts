import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createRemember, seenIn } from '../../../src/shared/entitlements/remember.ts';
import { type OrderLinesTable, type SeenProduct, seenMark } from '../../../src/shared/state/orderLines.ts';
import { marksIn, marksLimit, withMarks } from '../../../src/shared/state/seenMarks.ts';
import { storeItem } from '../../../src/shared/store/storeItem.ts';
import { testCall } from '../../support/call.ts';

const itemOf = (productId: string, orderId: string | null = null, more: object = {}) =>
  storeItem.parse({ productId, transactionId: orderId, productKind: 'Durable', ...more });

const seen = (over: object) =>
  seenIn('u', 'second', { item: itemOf('P', 'o1', { recurrenceData: 'mdr:0:1', ...over }), account: 'second' });
const of = { userId: 'u', account: 'second', productId: 'P' };

test('consumables are not remembered; orders and recurrences are', () => {
  for (const productKind of ['Consumable', 'UnmanagedConsumable', 'consumable'])
    expect(seen({ productKind })).toEqual([]);
  expect(seen({ productKind: 'Pass' })).toEqual([
    { ...of, cause: { orderId: 'o1' } },
    { ...of, cause: { recurrenceId: 'mdr:0:1' } },
  ]);
  expect(seen({ recurrenceData: {}, transactionId: null })).toEqual([]);
});

test('a recurrence is remembered whichever form its id comes in', () => {
  const recurrence = { ...of, cause: { recurrenceId: 'mdr:0:2' } };
  const forms = [
    { recurrenceData: 'mdr:0:2' },
    { recurrenceData: { recurrenceId: 'mdr:0:2' } },
    { recurrenceData: {}, recurrenceId: 'mdr:0:2' },
  ];
  for (const form of forms) expect(seen({ transactionId: '', ...form })).toEqual([recurrence]);
});

type Write = (row: SeenProduct) => Promise<void>;

/** The rows that are stored, by their marks, and one account of a user with its column. */
function world() {
  const state = {
    rows: new Map<string, SeenProduct>(),
    written: [] as string[],
    column: undefined as Uint8Array | undefined,
    columnWrites: 0,
    write: (async () => undefined) as Write,
    add: 'works' as 'works' | 'conflict' | 'fails',
  };
  const table = {
    async remember(row: SeenProduct) {
      await state.write(row);
      state.written.push(seenMark(row));
      state.rows.set(seenMark(row), row);
    },
  } as OrderLinesTable;
  const account = {
    account: 'default',
    seen: {
      marks: () => marksIn(state.column),
      async add(marks: string[]) {
        const column = withMarks(state.column, marks);
        if (!column) return 'full';
        state.columnWrites += 1;
        if (state.add === 'fails') throw new Error('tables are away');
        if (state.add === 'conflict') return 'conflict';
        state.column = column;
        return 'added';
      },
    },
  } as const;
  const remember = createRemember(table);
  const call = testCall();
  /** One query, and the marks of the rows that it wrote. */
  const query = async (items: ReturnType<typeof itemOf>[]): Promise<string[]> => {
    state.written.length = 0;
    const found = items.map((item) => ({ item, account: 'default' }));
    await remember(call, 'u', [account], found);
    return [...state.written];
  };
  const marks = () => [...marksIn(state.column)];
  return { state, query, marks, lines: call.lines };
}

const marksOf = (items: ReturnType<typeof itemOf>[]): string[] => [
  ...new Set(items.flatMap((item) => seenIn('u', 'default', { item, account: 'default' }).map(seenMark))),
];

const anyItem = fc
  .record({
    productId: fc.constantFrom('P1', 'p1', 'P2', 'P3', 'p/3'),
    orderId: fc.constantFrom('o1', 'O1', 'o2', null),
    more: fc.constantFrom(
      {},
      { recurrenceData: 'mdr:0:1' },
      { recurrenceData: 'MDR:0:1' },
      { productKind: 'Consumable' },
    ),
  })
  .map(({ productId, orderId, more }) => itemOf(productId, orderId, more));
const anyQuery = fc.record({
  items: fc.array(anyItem, { maxLength: 12 }),
  /** The write of the row that fails; after it none. */
  failsAt: fc.option(fc.nat(4), { nil: undefined }),
  add: fc.constantFrom('works', 'works', 'conflict', 'fails'),
} as const);

test('a query writes what it found and is not known, and a mark never stands for a row that is not there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyQuery, { minLength: 1, maxLength: 6 }), async (queries) => {
      const { state, query, marks } = world();
      for (const { items, failsAt, add } of queries) {
        let left = failsAt ?? Number.POSITIVE_INFINITY;
        state.write = async () => {
          left -= 1;
          if (left < 0) throw new Error('not written');
        };
        state.add = add as typeof state.add;
        const known = marks();
        const unknown = marksOf(items).filter((mark) => !known.includes(mark));
        const written = await query(items);
        // Each row once.
        expect(new Set(written).size).toBe(written.length);
        if (failsAt === undefined) expect([...written].sort()).toEqual([...unknown].sort());
        else expect(unknown).toEqual(expect.arrayContaining(written));
        expect([...state.rows.keys()]).toEqual(expect.arrayContaining(marks()));
        // What was written is marked, also if other rows could not be written.
        if (add === 'works') expect(marks()).toEqual(expect.arrayContaining(written));
      }
    }),
  );
});

test('a query that finds nothing new writes nothing, not even the column', async () => {
  const { state, query } = world();
  const items = Array.from({ length: 10 }, (_, index) => itemOf(`P${index}`, `o${index}`));
  expect(await query(items)).toHaveLength(10);
  expect(state.columnWrites).toBe(1);
  expect(await query([...items].reverse())).toEqual([]);
  expect(await query(items.map((item) => ({ ...item, productId: item.productId.toLowerCase() })))).toEqual([]);
  expect(await query([])).toEqual([]);
  expect(state.columnWrites).toBe(1);
  expect(await query([...items, itemOf('NEW', 'o1')])).toHaveLength(1);
  expect(state.columnWrites).toBe(2);
});

test.each([
  'conflict',
  'fails',
] as const)('a column that is not written (%s) costs writes, not the query', async (add) => {
  const { state, query, lines } = world();
  state.add = add;
  const items = [itemOf('P1', 'o1'), itemOf('P2', 'o2')];
  expect(await query(items)).toHaveLength(2);
  expect(await query(items)).toHaveLength(2);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('entitlements.notMarked');
  state.add = 'works';
  expect(await query(items)).toHaveLength(2);
  expect(await query(items)).toEqual([]);
});

test('a failed write is logged with the count of what is not remembered', async () => {
  const { state, query, lines, marks } = world();
  state.write = async ({ productId }) => {
    if (productId === 'P2') throw new Error('tables are away');
  };
  const items = [itemOf('P1', 'o1'), itemOf('P2', 'o2')];
  await query(items);
  expect(lines).toEqual([expect.stringMatching(/^error .*entitlements\.notRemembered.*"products":1/)]);
  expect(marks()).toEqual(marksOf([itemOf('P1', 'o1')]));
});

test('more rows than there is time for: none is begun after it, and the next query goes on from there', async () => {
  vi.useFakeTimers();
  try {
    const { state, query, marks, lines } = world();
    const items = Array.from({ length: 100 }, (_, index) => itemOf(`P${index}`, `o${index}`));
    // 16 at a time, 1 s each: four rounds in 4 s. The fifth has begun then and ends too late to be marked.
    state.write = () => new Promise((resolve) => setTimeout(resolve, 999));
    const first = query(items);
    await vi.advanceTimersByTimeAsync(5000);
    const written = await first;
    expect(written).toHaveLength(64);
    expect(marks().sort()).toEqual([...written].sort());
    expect(lines.join()).toContain('"products":36');
    await vi.advanceTimersByTimeAsync(60_000);
    // Those that were under way.
    expect(state.written.length).toBeLessThanOrEqual(80);
    const second = query(items);
    await vi.advanceTimersByTimeAsync(5000);
    expect(await second).toHaveLength(36);
    expect(marks()).toHaveLength(100);
  } finally {
    vi.useRealTimers();
  }
});

test('beyond the limit the oldest marks are kept, and the other rows are written each time', async () => {
  const { state, query, marks } = world();
  const items = Array.from({ length: marksLimit + 2 }, (_, index) => itemOf(`P${index}`, `o${index}`));
  expect(await query(items)).toHaveLength(marksLimit + 2);
  const kept = marks();
  expect(kept).toHaveLength(marksLimit);
  expect(await query(items)).toHaveLength(2);
  expect(marks()).toEqual(kept);
  expect(state.columnWrites).toBe(1);
});

test('each account has its own rows and marks', async () => {
  const written: SeenProduct[] = [];
  const remember = createRemember({ remember: async (row) => void written.push(row) } as OrderLinesTable);
  const added: Record<string, string[]> = {};
  const accountOf = (account: string, known: string[]) => ({
    account,
    seen: {
      marks: () => new Set(known),
      add: async (marks: string[]) => {
        added[account] = marks;
        return 'added' as const;
      },
    },
  });
  const rowOf = (account: string, productId: string, orderId: string): SeenProduct => ({
    userId: 'u',
    account,
    productId,
    cause: { orderId },
  });
  const [ofFirst, ofSecond, known] = [rowOf('first', 'P', 'o1'), rowOf('second', 'P', 'o2'), rowOf('third', 'P', 'o3')];
  const accounts = [accountOf('first', []), accountOf('second', []), accountOf('third', [seenMark(known)])];
  const found = [
    { item: itemOf('P', 'o1'), account: 'first' },
    { item: itemOf('P', 'o2'), account: 'second' },
    { item: itemOf('P', 'o3'), account: 'third' },
  ];
  await remember(testCall(), 'u', accounts, found);
  expect(written).toEqual([ofFirst, ofSecond]);
  expect(added).toEqual({ first: [seenMark(ofFirst)], second: [seenMark(ofSecond)] });
});
