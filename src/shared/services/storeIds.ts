import { createOnKeysRegistered } from '../fulfilment/keysRegistered.ts';
import { systemClock } from '../lib/clock.ts';
import { createStoreIds } from '../storeIds/register.ts';
import { consumesTable, grantsTable } from './fulfilments.ts';
import { service } from './platform.ts';
import { storeSettings, userKeys } from './storeAccess.ts';

export const storeIds = service(storeSettings, (settings) =>
  createStoreIds({
    ...userKeys(settings),
    clock: systemClock,
    onKeysRegistered: createOnKeysRegistered(
      { consumes: consumesTable(settings), grants: grantsTable(settings) },
      systemClock,
    ),
  }),
);
