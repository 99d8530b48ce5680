import type { Settings } from '../config.ts';
import { createSubmit } from '../fulfilment/submit.ts';
import { createGrantService } from '../grants/grant.ts';
import { createGrantHandler } from '../grants/handler.ts';
import { systemClock } from '../lib/clock.ts';
import { createEventsTable } from '../state/events.ts';
import { grantsTable } from './fulfilments.ts';
import { openTables, service } from './platform.ts';
import { purchaseApi, storeSettings, userKeys } from './storeAccess.ts';

/** What grants are fulfilled with, by a request and by the recovery. */
export function grantParts(settings: Pick<Settings, (typeof storeSettings)[number]>) {
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
