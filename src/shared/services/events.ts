import { createEventFeed } from '../events/feed.ts';
import { systemClock } from '../lib/clock.ts';
import { createEventsTable } from '../state/events.ts';
import { service } from './platform.ts';
import { openTables, tablesSettings } from './tables.ts';

export const eventFeed = service(tablesSettings, (settings) =>
  createEventFeed(createEventsTable(openTables(settings)), systemClock),
);
