import { once } from '../lib/once.ts';
import { createCollectionsApi } from '../store/collections.ts';
import { askStore, type StoreSettings } from './storeAccess.ts';

export const collectionsApi = once((settings: StoreSettings) =>
  createCollectionsApi(askStore(settings), settings.store.collectionsUrl),
);
