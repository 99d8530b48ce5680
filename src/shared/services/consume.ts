import { createConsumeService } from '../consume/consume.ts';
import { createConsumeHandler } from '../consume/handler.ts';
import { createSubmit } from '../fulfilment/submit.ts';
import { systemClock } from '../lib/clock.ts';
import { createEventsTable } from '../state/events.ts';
import { createOrderLinesTable } from '../state/orderLines.ts';
import { collectionsApi } from './collections.ts';
import { consumesTable } from './fulfilments.ts';
import { service } from './platform.ts';
import { purchaseApi } from './purchase.ts';
import { type StoreSettings, storeSettings, userKeys } from './storeAccess.ts';
import { openTables } from './tables.ts';

/** What a request and the recovery need to fulfil a consume. */
export function consumeParts(settings: StoreSettings) {
  const table = consumesTable(settings);
  const handler = createConsumeHandler({
    keyring: userKeys(settings).keyring,
    collections: collectionsApi(settings),
    purchase: purchaseApi(settings),
    lines: createOrderLinesTable(openTables(settings)),
    events: createEventsTable(openTables(settings)),
    pendingRecords: table,
    clock: systemClock,
  });
  return { handler, table, clock: systemClock };
}

export const consume = service([...storeSettings, 'sandbox'], (settings) =>
  createConsumeService(createSubmit(consumeParts(settings)), settings.sandbox),
);
