import type { Clock } from '../lib/clock.ts';
import type { EventsTable, StoredEvent } from '../state/events.ts';

export interface Feed {
  /** Events that are not acknowledged, the oldest first; waits up to `wait` seconds for the first. @throws Problem unavailable */
  read(limit: number, wait: number): Promise<{ events: StoredEvent[]; more: boolean }>;
  /** How many of these were not acknowledged before. @throws Problem unavailable */
  acknowledge(ids: string[]): Promise<number>;
}

const pollMs = 500;

/** There is no cursor: the feed always begins with the oldest event, so that none can be missed (http-api.md 2.10). */
export function createEventFeed(table: EventsTable, clock: Clock): Feed {
  return {
    async read(limit, wait) {
      const until = clock.now() + wait * 1000;
      for (;;) {
        const events = await table.oldest(limit + 1);
        const remainingMs = until - clock.now();
        if (events.length > 0 || remainingMs <= 0)
          return { events: events.slice(0, limit), more: events.length > limit };
        await clock.sleep(Math.min(pollMs, remainingMs));
      }
    },
    acknowledge: (ids) => table.acknowledge(ids),
  };
}
