import { createSubmit } from '../fulfilment/submit.ts';
import { createGrantService } from '../grants/grant.ts';
import { createGrantHandler } from '../grants/handler.ts';
import { systemClock } from '../lib/clock.ts';
import { createEventsTable } from '../state/events.ts';
import { grantsTable } from './fulfilments.ts';
import { service } from './platform.ts';
import { purchaseApi } from './purchase.ts';
import { type StoreSettings, storeSettings, userKeys } from './storeAccess.ts';
import { openTables } from './tables.ts';

/** What a request and the recovery need to fulfil a grant. */
export function grantParts(settings: StoreSettings) {
  const handler = createGrantHandler({
    keyring: userKeys(settings).keyring,
    purchase: purchaseApi(settings),
    events: createEventsTable(openTables(settings)),
  });
  return { handler, table: grantsTable(settings), clock: systemClock };
}

export const grant = service([...storeSettings, 'sandbox'], (settings) =>
  createGrantService(createSubmit(grantParts(settings)), settings.sandbox),
);
