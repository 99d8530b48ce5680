import type { Entitlements, EntitlementsQuery } from '../contract/entitlements.ts';
import type { Entra } from '../identity/entra.ts';
import type { Call, Clock } from '../lib/callContext.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import type { CollectionsApi, EntitlementsRequest } from '../store/collections.ts';
import type { Keyring } from '../storeIds/keyring.ts';
import { type Asker, collectItems } from './collect.ts';
import { distinctProducts, entitlementOf, withoutDuplicates } from './entitlement.ts';
import type { Remember } from './remember.ts';

export type QueryEntitlements = (call: Call, query: EntitlementsQuery) => Promise<Entitlements>;

export interface EntitlementsParts {
  clock: Clock;
  sandbox: string;
  entra: Entra;
  keyring: Keyring;
  collections: CollectionsApi;
  remember: Remember;
}

/** What a player owns (http-api.md 2.2). Identical concurrent queries are answered from one. */
export function entitlementsQuery(parts: EntitlementsParts): QueryEntitlements {
  const flights = new SingleFlight<Entitlements>();

  const run = async (call: Call, query: EntitlementsQuery): Promise<Entitlements> => {
    const askers = await askersOf(call, query, parts.keyring);
    const found = await collectItems(call, parts, askers, requestOf(query, parts.sandbox));
    if (query.userId !== undefined) await parts.remember(call, query.userId, found);
    const items = found.map(({ item, account }) => entitlementOf(item, account));
    return {
      ...(query.userId !== undefined && { userId: query.userId }),
      items: query.excludeDuplicates ? withoutDuplicates(items) : items,
      queriedAt: new Date(parts.clock.now()).toISOString(),
    };
  };

  return (call, query) => flights.run(JSON.stringify(query), () => run(call, query));
}

async function askersOf(call: Call, query: EntitlementsQuery, keyring: Keyring): Promise<Asker[]> {
  if (query.xToken !== undefined) return [{ xToken: query.xToken }];
  if (query.collectionsId !== undefined) return [keyring.raw(query.collectionsId, 'collections')];
  return keyring.held(call, query.userId ?? '', query.account ?? 'default', 'collections');
}

function requestOf(query: EntitlementsQuery, sandbox: string): EntitlementsRequest {
  const { market = 'neutral', entitlementFilters, expandSatisfyingItems = true } = query.v8 ?? {};
  return {
    api: query.api,
    products: distinctProducts(query.products),
    validity: query.validity,
    excludeDuplicates: query.excludeDuplicates,
    sandbox: query.sandbox ?? sandbox,
    ...(query.api === 'v8' && { market, expandSatisfyingItems, ...(entitlementFilters && { entitlementFilters }) }),
  };
}
