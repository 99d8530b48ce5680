import { createGamePassQuery } from '../gamePass/query.ts';
import { systemClock } from '../lib/clock.ts';
import { collectionsApi } from './collections.ts';
import { service } from './platform.ts';
import { storeSettings, userKeys } from './storeAccess.ts';

export const gamePass = service([...storeSettings, 'sandbox'], (settings) =>
  createGamePassQuery({
    clock: systemClock,
    sandbox: settings.sandbox,
    keyring: userKeys(settings).keyring,
    collections: collectionsApi(settings),
  }),
);
