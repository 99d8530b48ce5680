import type { CallContext } from '../lib/callContext.ts';
import { chunksOf } from '../lib/chunks.ts';
import { inParallel } from '../lib/inParallel.ts';
import { isXToken, type StoreCaller } from '../store/authorize.ts';
import type { CollectionsApi, EntitlementsRequest, StoreItem } from '../store/collections.ts';

/** The Store takes at most so many products in one request (store-api.md 2.1). */
const chunkSize = 100;
/** Requests at a time, for one query. */
const width = 4;

export interface CollectedItem {
  item: StoreItem;
  /** Absent for a key or X-token that came with the request. */
  account: string | undefined;
}

/**
 * Everything that the Store lists for these callers, every chunk and page: all of it or an error (invariant 7).
 * @throws Problem store_throttled, store_rejected, store_unauthorized, store_unavailable, store_id_expired, x_token_expired, xbox_rejected
 */
export async function collectItems(
  call: CallContext,
  collections: CollectionsApi,
  callers: StoreCaller[],
  request: EntitlementsRequest,
): Promise<CollectedItem[]> {
  const chunks = request.products === undefined ? [undefined] : chunksOf(request.products, chunkSize);
  const tasks = callers.flatMap((caller) => chunks.map((products) => ({ caller, products })));
  const found = await inParallel(tasks, width, async ({ caller, products }) => {
    const account = isXToken(caller) ? undefined : caller.account;
    const items = await collections.queryEntitlements(call, caller, { ...request, products });
    return items.map((item) => ({ item, account }));
  });
  return found.flat();
}
