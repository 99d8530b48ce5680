import type { Call, Clock } from '../lib/callContext.ts';
import { inParallel } from '../lib/inParallel.ts';
import { faultFields } from '../lib/log.ts';
import { type DueFulfilment, type FulfilmentsTable, fulfilmentShards } from '../state/fulfilments.ts';
import type { Engine } from './engine.ts';

export interface RecoveryCount {
  /** Taken up in this run. */
  taken: number;
  /** Could not be dealt with, or are in the hands of a request: their place in the list is unchanged. */
  left: number;
  /** The run stopped for its time budget. */
  remaining: boolean;
}

export interface Recovery {
  /** Takes up whatever is due, until nothing is or the budget (4 minutes) is spent. @throws Problem unavailable */
  run(call: Call): Promise<RecoveryCount>;
  /** Takes up what a user waits for, due or not: there is a new key. Never fails. */
  resumeUser(call: Call, userId: string): Promise<void>;
}

const budgetMs = 4 * 60_000;
/** What a registration of keys can wait for; what is not settled by then is the timer's. */
const userBudgetMs = 30_000;
/** For one record. */
const recordMs = 30_000;
/** Of each shard's list, at a time. */
const pageSize = 100;
const usersAtOnce = 32;
const stuckMs = 24 * 3600_000;

/** `name` is that of the kind in the log: consume, grant. */
export function recovery<Request, Result, Identity>(
  name: string,
  engine: Engine<Request, Result, Identity>,
  table: FulfilmentsTable<Request, Result>,
  clock: Clock,
): Recovery {
  const takeUp = async (call: Call, place: DueFulfilment, by: 'caller' | 'recovery'): Promise<boolean> => {
    try {
      const stored = await table.get(place.userId, place.id);
      if (stored?.dueAt !== place.dueAt) {
        await table.forget(place);
        return true;
      }
      if (stored.state === 'open' && clock.now() - stored.createdAt > stuckMs) {
        call.log('error', `${name}.stuck`, { id: place.id, since: new Date(stored.createdAt).toISOString() });
      }
      return await engine.resume({ ...call, deadline: Math.min(call.deadline, clock.now() + recordMs) }, stored, by);
    } catch (fault) {
      call.log('error', `${name}.recoveryFailed`, { id: place.id, ...faultFields(fault) });
      return false;
    }
  };

  return {
    async run(call) {
      const startedAt = clock.now();
      const until = Math.min(startedAt + budgetMs, call.deadline - recordMs);
      const count = { taken: 0, left: 0, remaining: false };
      /** Where the list of each shard goes on; a shard that is through is no more in it. */
      const behind = new Map<number, string | undefined>(
        Array.from({ length: fulfilmentShards }, (_, shard) => [shard, undefined]),
      );
      while (behind.size > 0 && !count.remaining) {
        const pages = await Promise.all(
          [...behind].map(async ([shard, key]) => ({
            shard,
            places: await table.due(shard, startedAt, pageSize, key),
          })),
        );
        for (const { shard, places } of pages) {
          // What is dealt with moves to a later time than this run looks at; what is left stays before where the list goes on.
          if (places.length < pageSize) behind.delete(shard);
          else behind.set(shard, places.at(-1)?.key);
        }
        // One user's records one after the other: two that lost their order ids must not find the same order.
        await inParallel(byUser(pages.flatMap(({ places }) => places)), usersAtOnce, async (ofUser) => {
          for (const place of ofUser) {
            if (clock.now() >= until) count.remaining = true;
            else if (await takeUp(call, place, 'recovery')) count.taken += 1;
            else count.left += 1;
          }
        });
      }
      return count;
    },
    async resumeUser(call, userId) {
      const deadline = Math.min(call.deadline, clock.now() + userBudgetMs);
      try {
        for (const place of await table.dueOfUser(userId)) {
          if (clock.now() < deadline) await takeUp({ ...call, deadline }, place, 'caller');
        }
      } catch (fault) {
        call.log('error', `${name}.recoveryFailed`, faultFields(fault));
      }
    },
  };
}

function byUser(places: DueFulfilment[]): DueFulfilment[][] {
  const users = new Map<string, DueFulfilment[]>();
  for (const place of places) users.set(place.userId, [...(users.get(place.userId) ?? []), place]);
  return [...users.values()];
}
