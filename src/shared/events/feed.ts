import type { EventFeed } from '../contract/events.ts';
import type { Clock } from '../lib/callContext.ts';
import type { EventsTable } from '../state/events.ts';

export interface Feed {
  /** What is not acknowledged, the oldest first; waits up to `wait` seconds for the first. @throws Problem unavailable */
  read(limit: number, wait: number): Promise<EventFeed>;
  /** How many of these were not acknowledged before. @throws Problem unavailable */
  acknowledge(ids: string[]): Promise<number>;
}

const lookMs = 500;

/** There is no cursor: the feed always begins with the oldest event, so that none can be passed over (http-api.md 2.10). */
export function eventFeed(table: EventsTable, clock: Clock): Feed {
  return {
    async read(limit, wait) {
      const until = clock.now() + wait * 1000;
      for (;;) {
        const events = await table.oldest(limit + 1);
        const left = until - clock.now();
        if (events.length > 0 || left <= 0) return { events: events.slice(0, limit), more: events.length > limit };
        await clock.sleep(Math.min(lookMs, left));
      }
    },
    acknowledge: (ids) => table.acknowledge(ids),
  };
}
