import type { Entitlements, EntitlementsQuery } from '../contract/entitlements.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import type { StoreCaller } from '../store/authorize.ts';
import type { CollectionsApi, EntitlementsRequest } from '../store/collections.ts';
import type { Keyring } from '../storeIds/keyring.ts';
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
    const callers = await callersOf(call, query, parts.keyring);
    const found = await collectItems(call, parts.collections, callers, requestOf(query, parts.sandbox));
    if (query.userId !== undefined) await parts.remember(call, query.userId, found);
    const items = found.map(({ item, account }) => entitlementOf(item, account));
    return {
      ...(query.userId !== undefined && { userId: query.userId }),
      items: query.excludeDuplicates ? withoutDuplicates(items) : items,
      queriedAt: new Date(parts.clock.now()).toISOString(),
    };
  };

  return (call, query) => running.run(JSON.stringify(query), () => run(call, query));
}

async function callersOf(call: CallContext, query: EntitlementsQuery, keyring: Keyring): Promise<StoreCaller[]> {
  if (query.xToken !== undefined) return [{ xToken: query.xToken }];
  if (query.collectionsId !== undefined) return [keyring.fromRequest(query.collectionsId, 'collections')];
  const { userId = '', account = 'default' } = query;
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
