import { once } from '../lib/once.ts';
import { createPurchaseApi } from '../store/purchase.ts';
import { askStore, type StoreSettings } from './storeAccess.ts';

export const purchaseApi = once((settings: StoreSettings) =>
  createPurchaseApi(askStore(settings), settings.store.purchaseUrl),
);
