import type { Entitlements, EntitlementsQuery } from '../contract/entitlements.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import type { StoreCaller } from '../store/authorize.ts';
import type { CollectionsApi, EntitlementsRequest } from '../store/collections.ts';
import type { Keyring, StoredUserKey } from '../storeIds/keyring.ts';
import { collectItems } from './collect.ts';
import { distinctProducts, entitlementOf, withoutDuplicates } from './entitlement.ts';
import type { Remember } from './remember.ts';

export type QueryEntitlements = (call: CallContext, query: EntitlementsQuery) => Promise<Entitlements>;

export interface EntitlementsParts {
  clock: Clock;
  sandbox: string;
  keyring: Keyring;
  collections: CollectionsApi;
  remember: Remember;
}

/** What a player owns (http-api.md 2.2). Identical concurrent queries are answered from one. */
export function createEntitlementsQuery(parts: EntitlementsParts): QueryEntitlements {
  const running = new SingleFlight<Entitlements>();

  const run = async (call: CallContext, query: EntitlementsQuery): Promise<Entitlements> => {
    const { userId } = query;
    const keys = userId === undefined ? undefined : await storedKeys(call, userId, query.account, parts.keyring);
    const callers = keys ?? [callerOfRequest(query, parts.keyring)];
    const found = await collectItems(call, parts.collections, callers, requestOf(query, parts.sandbox));
    if (userId !== undefined && keys) await parts.remember(call, userId, keys, found);
    const items = found.map(({ item, account }) => entitlementOf(item, account));
    return {
      ...(userId !== undefined && { userId }),
      items: query.excludeDuplicates ? withoutDuplicates(items) : items,
      queriedAt: new Date(parts.clock.now()).toISOString(),
    };
  };

  return (call, query) => running.run(JSON.stringify(query), () => run(call, query));
}

function callerOfRequest({ xToken, collectionsId = '' }: EntitlementsQuery, keyring: Keyring): StoreCaller {
  return xToken === undefined ? keyring.fromRequest(collectionsId, 'collections') : { xToken };
}

async function storedKeys(
  call: CallContext,
  userId: string,
  account = 'default',
  keyring: Keyring,
): Promise<StoredUserKey[]> {
  if (account === '*') return keyring.forAllAccounts(call, userId, 'collections');
  return [await keyring.forUser(call, userId, account, 'collections')];
}

function requestOf(query: EntitlementsQuery, sandbox: string): EntitlementsRequest {
  const { market = 'neutral', entitlementFilters, expandSatisfyingItems = true } = query.v8 ?? {};
  return {
    api: query.api,
    products: query.products && distinctProducts(query.products),
    validity: query.validity,
    excludeDuplicates: query.excludeDuplicates,
    sandbox: query.sandbox ?? sandbox,
    ...(query.api === 'v8' && { market, expandSatisfyingItems, ...(entitlementFilters && { entitlementFilters }) }),
  };
}
