import type { GamePass, GamePassQuery, Tier } from '../contract/gamePass.ts';
import { collectItems } from '../entitlements/collect.ts';
import { entitlementOf, withoutDuplicates } from '../entitlements/entitlement.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { isSameId } from '../lib/ids.ts';
import type { CollectionsApi } from '../store/collections.ts';
import type { Keyring } from '../storeIds/keyring.ts';

/** The product id of each tier (store-api.md 2.2). */
const tierProducts: Record<Tier, string> = {
  Console: 'CFQ7TTC0K6L8',
  Starter: 'CFQ7TTC10QFD',
  PC: 'CFQ7TTC0KGQ8',
  Essential: 'CFQ7TTC0K5DJ',
  Premium: 'CFQ7TTC0P85B',
  Ultimate: 'CFQ7TTC0KHS0',
};

/** Valid ones alone are asked for, so any other status counts, also one that cannot be read: it must not end a subscription. */
const endedStatuses = new Set(['revoked', 'expired', 'banned', 'suspended']);

export type QueryGamePass = (call: CallContext, query: GamePassQuery) => Promise<GamePass>;

export interface GamePassParts {
  clock: Clock;
  sandbox: string;
  keyring: Keyring;
  collections: CollectionsApi;
}

/** The Game Pass tiers that a player has now (http-api.md 2.3). */
export function createGamePassQuery(parts: GamePassParts): QueryGamePass {
  return async (call, query) => {
    const wanted = [...new Set(query.tiers)];
    const userKey =
      query.collectionsId !== undefined
        ? parts.keyring.fromRequest(query.collectionsId, 'collections')
        : await parts.keyring.forUser(call, query.userId ?? '', query.account ?? 'default', 'collections');
    const found = await collectItems(call, parts.collections, [userKey], {
      api: 'v9',
      products: wanted.map((tier) => ({ productId: tierProducts[tier] })),
      validity: 'Valid',
      excludeDuplicates: true,
      sandbox: query.sandbox ?? parts.sandbox,
    });
    const active = withoutDuplicates(
      found
        .map(({ item }) => ({ ...entitlementOf(item, undefined), skuId: null }))
        .filter(({ status }) => !endedStatuses.has(status.toLowerCase())),
    );
    const tiers = wanted.flatMap((tier) => {
      const pass = active.find(({ productId }) => isSameId(productId, tierProducts[tier]));
      if (!pass) return [];
      return [{ tier, productId: pass.productId, since: pass.startsAt, recurrenceId: pass.recurrenceId }];
    });
    return {
      subscribed: tiers.some(({ tier }) => tier !== 'Starter'),
      tiers,
      queriedAt: new Date(parts.clock.now()).toISOString(),
    };
  };
}
