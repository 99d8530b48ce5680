/** What an account looks like to a collections query: items with all documented fields (store-api.md 2.1, 2.2). Pure. */
import { createHash } from 'node:crypto';
import { noEnd, storeDate } from './dates.ts';
import { balance, isConsumable, ownedLines } from './ledger.ts';
import type { Item } from './query.ts';
import type { Account, InjectedItem, Line, Product, Settings, Source, Tier, User } from './types.ts';
import { productNamed } from './world.ts';

export const tierProducts: Record<Tier, string> = {
  Console: 'CFQ7TTC0K6L8',
  Starter: 'CFQ7TTC10QFD',
  PC: 'CFQ7TTC0KGQ8',
  Essential: 'CFQ7TTC0K5DJ',
  Premium: 'CFQ7TTC0P85B',
  Ultimate: 'CFQ7TTC0KHS0',
};
const included: Record<Tier, Tier[]> = {
  Console: [],
  Starter: [],
  PC: [],
  Essential: [],
  Premium: ['Essential', 'Console'],
  Ultimate: ['Premium', 'Essential', 'PC', 'Console'],
};
const endOfTime = Date.parse(noEnd);

export interface View {
  user: User;
  account: Account;
  sandbox: string;
  catalog: ReadonlyMap<string, Product>;
  settings: Settings;
  /** `localTicketReference` of the beneficiary. */
  owner: string;
}

/** Everything that the user of this sandbox owns through products that are configured for the client, oldest first. */
export function accountItems(view: View): Item[] {
  const ledgerItems: Item[] = [];
  const seen = new Set<string>();
  for (const line of ownedLines(view.account)) {
    const product = view.catalog.get(line.productId);
    if (!product?.configured) continue;
    if (!isConsumable(line)) {
      ledgerItems.push(lineItem(view, line, product));
    } else if (!seen.has(line.productId)) {
      seen.add(line.productId);
      ledgerItems.push(...consumableItem(view, product));
    }
  }
  const injected = view.account.injected
    .filter((item) => productNamed(view.catalog, item.fields.productId)?.configured !== false)
    .map((item) => injectedItem(item, view.owner));
  return [...ledgerItems, ...injected, ...gamePassItems(view)];
}

/** Identifies an item: the same user, sandbox, product and cause have the same id in every answer. */
export function itemId(user: User, sandbox: string, ...cause: string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([user.handle, sandbox, ...cause]))
    .digest('hex')
    .slice(0, 32);
}

interface ItemDetails {
  id: string;
  quantity: number;
  acquiredAt: number;
  startsAt: number;
  modifiedAt: number;
  acquisitionType: string;
  satisfiedBy: string[];
  orderId?: string | undefined;
  recurrenceId?: string;
}

type Described = Pick<Product, 'productId' | 'skuId' | 'kind'> & { legacyProductId?: string | null };

function item(view: View, source: Source, product: Described, details: ItemDetails): Item {
  return {
    source,
    productId: product.productId,
    skuId: product.skuId,
    kind: product.kind,
    status: 'Active',
    startsAt: details.startsAt,
    endsAt: endOfTime,
    modifiedAt: details.modifiedAt,
    owner: view.owner,
    fields: {
      id: details.id,
      productId: product.productId,
      skuId: product.skuId,
      productKind: product.kind,
      status: 'Active',
      quantity: details.quantity,
      acquiredDate: storeDate(details.acquiredAt),
      startDate: storeDate(details.startsAt),
      endDate: noEnd,
      modifiedDate: storeDate(details.modifiedAt),
      acquisitionType: details.acquisitionType,
      satisfiedByProductIds: details.satisfiedBy,
      ...(details.recurrenceId === undefined ? {} : { recurrenceData: details.recurrenceId }),
      ...(details.orderId === undefined ? {} : { transactionId: details.orderId }),
      ...(product.legacyProductId ? { legacyProductId: product.legacyProductId } : {}),
      tags: {},
      trialData: { isTrial: false, isInTrialPeriod: false },
    },
  };
}

function lineItem(view: View, line: Line, product: Product): Item {
  return item(view, line.source, product, {
    id: itemId(view.user, view.sandbox, line.productId, line.orderId, line.lineItemId),
    quantity: 1,
    acquiredAt: line.acquiredAt,
    startsAt: line.acquiredAt,
    modifiedAt: line.modifiedAt,
    acquisitionType: 'Single',
    satisfiedBy: line.bundleId === null ? [] : [line.bundleId],
    orderId: line.orderId,
  });
}

/** All purchases of a consumable are one item, whose quantity is the balance. */
function consumableItem(view: View, product: Product): Item[] {
  const lines = ownedLines(view.account, product.productId);
  const quantity = balance(view.account, product);
  const showEmpty = view.settings.showEmptyBalances && product.kind === 'Consumable';
  if (quantity === 0 && !showEmpty) return [];
  const unconsumed = lines.filter((line) => line.remaining > 0);
  const first = unconsumed[0] ?? lines[0];
  const last = unconsumed.at(-1) ?? lines.at(-1);
  if (!first || !last) return [];
  return [
    item(view, first.source, product, {
      id: itemId(view.user, view.sandbox, product.productId),
      quantity,
      acquiredAt: first.acquiredAt,
      startsAt: first.acquiredAt,
      modifiedAt: Math.max(...lines.map((line) => line.modifiedAt)),
      acquisitionType: 'Single',
      satisfiedBy: last.bundleId === null ? [] : [last.bundleId],
      orderId: last.orderId,
    }),
  ];
}

function injectedItem({ source, fields }: InjectedItem, owner: string): Item {
  const time = (name: string, otherwise: number): number => {
    const ms = Date.parse(String(fields[name]));
    return Number.isNaN(ms) ? otherwise : ms;
  };
  return {
    source,
    productId: fields.productId,
    skuId: fields.skuId,
    kind: String(fields.productKind),
    status: String(fields.status),
    startsAt: time('startDate', 0),
    endsAt: time('endDate', endOfTime),
    modifiedAt: time('modifiedDate', 0),
    owner,
    fields,
  };
}

/** The tiers that the user subscribes to and those that they include. */
export function effectiveTiers(user: User): Tier[] {
  return [...new Set(user.gamePass.tiers.flatMap((tier) => [tier, ...included[tier]]))];
}

/** The tiers themselves, and the titles that they let the user play. */
function gamePassItems(view: View): Item[] {
  const { user, settings } = view;
  const tiers = effectiveTiers(user);
  if (tiers.length === 0) return [];
  const start = user.gamePass.startedAt;
  const details = { quantity: 1, acquiredAt: start, startsAt: start, modifiedAt: start };
  const recurrenceId = `mdr:0:${itemId(user, view.sandbox, 'gamePass')}:${user.handle.slice(0, 8)}`;
  const passes = !settings.gamePassAuthorized
    ? []
    : tiers.map((tier) =>
        item(
          view,
          'subscription',
          { productId: tierProducts[tier], skuId: '', kind: 'Pass' },
          {
            ...details,
            id: itemId(user, view.sandbox, tierProducts[tier]),
            acquisitionType: 'Recurring',
            satisfiedBy: [],
            recurrenceId,
          },
        ),
      );
  const titles = [...view.catalog.values()]
    .filter((product) => product.configured && product.gamePassTiers.some((tier) => tiers.includes(tier)))
    .map((product) =>
      item(view, 'subscription', product, {
        ...details,
        id: itemId(user, view.sandbox, product.productId, 'gamePass'),
        acquisitionType: settings.gamePassAuthorized ? 'Recurring' : 'Single',
        satisfiedBy: settings.gamePassAuthorized
          ? tiers.filter((tier) => product.gamePassTiers.includes(tier)).map((tier) => tierProducts[tier])
          : [],
      }),
    );
  return [...passes, ...titles];
}
