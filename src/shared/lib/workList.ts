import type { Clock } from './clock.ts';

/** An entry of a due list. */
export interface DueItem {
  /** Sorts the items of a shard, the longest due first. */
  key: string;
  /** Epoch ms. */
  dueAt: number;
  /** Items of one user are worked on one after the other. */
  userId: string;
}

export interface WorkList<Item extends DueItem> {
  shards: number;
  pageSize: number;
  /** At most `pageSize` due items of one shard, the longest due first, after a key if one is given. Fewer: it is the last page. */
  readPage(shard: number, afterKey: string | undefined): Promise<Item[]>;
}

export interface WorkLimits {
  clock: Clock;
  /** No item is started after this time (epoch ms). */
  until: number;
  /** How many users are served at a time. */
  width: number;
}

export interface WorkCount {
  processed: number;
  /** They stay in the list, for the next run. */
  skipped: number;
  /** The run ended before the list did. */
  remaining: boolean;
}

/** At most this many items wait in memory for another of their user. The others stay for the next run. */
const waitingLimit = 20_000;

/**
 * Works through a due list: what is due longest goes first, across all shards, and slow items of one user do not delay other users.
 * `work` says whether it processed the item or skipped it; it must not throw.
 * @throws what `readPage` throws, once the items that have started are done
 */
export async function processWorkList<Item extends DueItem>(
  list: WorkList<Item>,
  limits: WorkLimits,
  work: (item: Item) => Promise<boolean>,
): Promise<WorkCount> {
  const count: WorkCount = { processed: 0, skipped: 0, remaining: false };
  const nextItem = createUserQueues(longestDueFirst(list), limits, count);
  const worker = async (): Promise<void> => {
    for (let item = await nextItem(undefined); item; item = await nextItem(item)) {
      if (await work(item)) count.processed += 1;
      else count.skipped += 1;
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: limits.width }, worker));
  const failed = workers.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
  return count;
}

/** Gives a worker its next item: the next one of the same user, else the first one of a user whom no worker serves. */
function createUserQueues<Item extends DueItem>(
  items: AsyncGenerator<Item>,
  { clock, until }: WorkLimits,
  count: WorkCount,
): (previous: Item | undefined) => Promise<Item | undefined> {
  /** The users whom a worker serves now, with their waiting items. */
  const queues = new Map<string, Item[]>();
  let waiting = 0;

  const isTimeUp = (): boolean => {
    if (clock.now() < until) return false;
    count.remaining = true;
    return true;
  };

  const nextOfUser = (userId: string): Item | undefined => {
    const item = queues.get(userId)?.shift();
    if (item) waiting -= 1;
    else queues.delete(userId);
    return item;
  };

  return async (previous) => {
    const following = previous && nextOfUser(previous.userId);
    if (following) return isTimeUp() ? undefined : following;
    for (;;) {
      const { value: item, done } = await items.next();
      if (done || isTimeUp()) return undefined;
      const queue = queues.get(item.userId);
      if (!queue) {
        queues.set(item.userId, []);
        return item;
      }
      if (waiting >= waitingLimit) {
        count.remaining = true;
      } else {
        queue.push(item);
        waiting += 1;
      }
    }
  };
}

/** The items of all shards in one order. One page of each shard is in memory at a time. */
async function* longestDueFirst<Item extends DueItem>(list: WorkList<Item>): AsyncGenerator<Item> {
  const shards = Array.from({ length: list.shards }, (_, shard) => {
    return { shard, items: [] as Item[], lastKey: undefined as string | undefined, lastPage: false };
  });
  const refill = async (one: (typeof shards)[number]): Promise<void> => {
    one.items = await list.readPage(one.shard, one.lastKey);
    one.lastKey = one.items.at(-1)?.key ?? one.lastKey;
    one.lastPage = one.items.length < list.pageSize;
    // The next item is at the end, where it is cheap to remove.
    one.items.reverse();
  };
  for (;;) {
    const empty = shards.filter(({ items, lastPage }) => items.length === 0 && !lastPage);
    if (empty.length > 0) await Promise.all(empty.map(refill));
    const first = shards.reduce((a, b) => (isDueBefore(b.items.at(-1), a.items.at(-1)) ? b : a));
    const item = first.items.pop();
    if (!item) return;
    yield item;
  }
}

function isDueBefore(a: DueItem | undefined, b: DueItem | undefined): boolean {
  if (!a || !b) return a !== undefined;
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.key < b.key);
}
