import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DueItem, processWorkList, type WorkList } from '../../../src/shared/lib/workList.ts';
import { testClock } from '../../support/call.ts';

interface Item extends DueItem {
  shard: number;
}

const item = (shard: number, userId: string, dueAt: number, n = 0): Item => ({
  shard,
  userId,
  dueAt,
  key: `${String(dueAt).padStart(8, '0')}.${userId}.${n}`,
});

/** A due list in memory, whose pages are counted. */
function listOf(items: Item[], shards: number, pageSize: number): WorkList<Item> & { pages: number } {
  const sorted = [...items].sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    shards,
    pageSize,
    pages: 0,
    async readPage(shard, afterKey = '') {
      this.pages += 1;
      return sorted.filter((one) => one.shard === shard && one.key > afterKey).slice(0, pageSize);
    },
  };
}

const forever = (width: number) => ({ clock: testClock(), until: Number.POSITIVE_INFINITY, width });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const anyList = fc.record({
  shards: fc.integer({ min: 1, max: 5 }),
  pageSize: fc.integer({ min: 1, max: 4 }),
  width: fc.integer({ min: 1, max: 6 }),
  entries: fc.array(
    fc.record({ user: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), dueAt: fc.nat(30), turns: fc.nat(3) }),
    { maxLength: 40 },
  ),
});

test('every item once, one at a time of each user in the order of its due times, never more users than the width', async () => {
  await fc.assert(
    fc.asyncProperty(anyList, async ({ shards, pageSize, width, entries }) => {
      const turns = new Map<string, number>();
      const items = entries.map(({ user, dueAt, turns: slow }, n) => {
        const one = item(user.charCodeAt(0) % shards, user, dueAt, n);
        turns.set(one.key, slow);
        return one;
      });
      const busy = new Set<string>();
      const done: Item[] = [];
      const count = await processWorkList(listOf(items, shards, pageSize), forever(width), async (one) => {
        expect(busy.has(one.userId)).toBe(false);
        busy.add(one.userId);
        expect(busy.size).toBeLessThanOrEqual(width);
        for (let waits = turns.get(one.key) ?? 0; waits > 0; waits -= 1) await turn();
        busy.delete(one.userId);
        done.push(one);
        return one.dueAt % 2 === 0;
      });
      expect(done.map(({ key }) => key).sort()).toEqual(items.map(({ key }) => key).sort());
      for (const user of new Set(items.map(({ userId }) => userId))) {
        const times = done.filter(({ userId }) => userId === user).map(({ key }) => key);
        expect(times).toEqual([...times].sort());
      }
      const processed = items.filter(({ dueAt }) => dueAt % 2 === 0).length;
      expect(count).toEqual({ processed, skipped: items.length - processed, remaining: false });
    }),
  );
});

test('what is due longest goes first, across all shards and pages', async () => {
  const items = Array.from({ length: 60 }, (_, n) => item(n % 4, `u${n}`, (n * 37) % 61));
  const order: number[] = [];
  await processWorkList(listOf(items, 4, 5), forever(1), async ({ dueAt }) => {
    order.push(dueAt);
    return true;
  });
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(order).toHaveLength(60);
});

test('slow items of one user do not delay other users', async () => {
  const slow = Array.from({ length: 50 }, (_, n) => item(0, 'slow', n, n));
  const others = Array.from({ length: 50 }, (_, n) => item(n % 2, `u${n}`, 100 + n));
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const done: string[] = [];
  const run = processWorkList(listOf([...slow, ...others], 2, 10), forever(3), async ({ userId }) => {
    if (userId === 'slow') await released;
    done.push(userId);
    return true;
  });
  await expect.poll(() => done.length).toBe(others.length);
  expect(done).not.toContain('slow');
  release();
  expect(await run).toEqual({ processed: 100, skipped: 0, remaining: false });
});

test('no item is started after the time, and the list is not read further', async () => {
  const clock = testClock();
  const items = Array.from({ length: 30 }, (_, n) => item(0, n < 10 ? 'same' : `u${n}`, n, n));
  const list = listOf(items, 1, 5);
  const count = await processWorkList(list, { clock, until: clock.now() + 5, width: 2 }, async () => {
    clock.advance(1);
    return true;
  });
  expect(count).toEqual({ processed: 5, skipped: 0, remaining: true });
  expect(list.pages).toBeLessThan(6);
});

test('items that wait for another of their user are not started after the time either', async () => {
  const clock = testClock();
  const list = listOf(
    Array.from({ length: 10 }, (_, n) => item(0, 'same', n, n)),
    1,
    5,
  );
  const count = await processWorkList(list, { clock, until: clock.now() + 5, width: 2 }, async () => {
    // The other worker reads the whole list meanwhile.
    for (let turns = 0; turns < 10; turns += 1) await turn();
    clock.advance(5);
    return true;
  });
  expect(count).toEqual({ processed: 1, skipped: 0, remaining: true });
});

test('an empty list, and one that ends just in time, have nothing remaining', async () => {
  const clock = testClock();
  const ended = { clock, until: clock.now(), width: 2 };
  expect(await processWorkList(listOf([], 3, 5), ended, async () => true)).toEqual({
    processed: 0,
    skipped: 0,
    remaining: false,
  });
  const limits = { clock, until: clock.now() + 1, width: 2 };
  const count = await processWorkList(listOf([item(0, 'a', 1)], 3, 5), limits, async () => {
    clock.advance(1);
    return true;
  });
  expect(count).toEqual({ processed: 1, skipped: 0, remaining: false });
});

test('a page that cannot be read ends the run once the items that have started are done', async () => {
  const list = listOf([item(0, 'a', 1), item(0, 'b', 2), item(0, 'c', 3)], 1, 2);
  const { readPage } = list;
  list.readPage = async (shard, afterKey) => {
    if (afterKey !== undefined) throw new Error('tables are away');
    return readPage.call(list, shard, afterKey);
  };
  let done = 0;
  const run = processWorkList(list, forever(3), async () => {
    await turn();
    done += 1;
    return true;
  });
  await expect(run).rejects.toThrow('tables are away');
  expect(done).toBe(2);
});
