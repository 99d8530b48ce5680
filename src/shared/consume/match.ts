import { Problem } from '../contract/problems.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { inParallel } from '../lib/inParallel.ts';
import type { FulfilmentsTable } from '../state/fulfilments.ts';
import type { LineClaim, OrderLinesTable } from '../state/orderLines.ts';
import { isoOf } from '../store/dates.ts';
import { storeUnavailable } from '../store/errors.ts';
import type { PurchaseApi, StoreOrder } from '../store/purchase.ts';
import type { Keyring } from '../storeIds/keyring.ts';
import type { ConsumedLine, ConsumeOrder, ConsumeRecord, ConsumeResult } from './record.ts';

export interface MatchParts {
  keyring: Keyring;
  purchase: PurchaseApi;
  lines: OrderLinesTable;
  /** Consumes that are not settled. */
  pendingRecords: Pick<FulfilmentsTable<ConsumeOrder, ConsumeResult>, 'dueForUser' | 'get'>;
  clock: Clock;
}

export interface PurchasedLine {
  orderId: string;
  lineItemId: string;
  quantity: number;
  purchasedAt: string;
}

const linesAtOnce = 16;

/**
 * The order line of a developer-managed consume whose ids were lost, since its replay returns none (store-api.md 2.4): the oldest
 * purchased one that no record claims. Empty if there is none, or the user has no key to ask for it.
 * @throws Problem when it cannot be decided yet: the orders cannot be read, or another consume may still claim a line
 */
export async function matchByOrders(
  call: CallContext,
  parts: MatchParts,
  record: ConsumeRecord,
): Promise<ConsumedLine[]> {
  if (await hasConcurrentConsume(parts, record)) {
    throw storeUnavailable({ cause: new Error('another consume of this product may still claim a line') });
  }
  try {
    const candidates = await purchasedLines(call, parts, record);
    const claims = await inParallel(candidates, linesAtOnce, ({ orderId, lineItemId }) =>
      parts.lines.claims(orderId, lineItemId, record.request.productId),
    );
    const line = lineToClaim(candidates, claims, record);
    if (line) return [{ orderId: line.orderId, lineItemId: line.lineItemId, quantity: 1, matchedBy: 'orders' }];
    call.log('warn', 'consume.noOrderLine', { trackingId: record.id, candidates: candidates.length });
  } catch (fault) {
    if (!(fault instanceof Problem && fault.code === 'unknown_user')) throw fault;
    call.log('warn', 'consume.noOrderLine', { trackingId: record.id, code: fault.code });
  }
  return [];
}

/** The line that this very consume claimed in an earlier attempt, or the first that is not fully claimed. Pure. */
export function lineToClaim(
  candidates: PurchasedLine[],
  claims: LineClaim[][],
  { userId, id }: Pick<ConsumeRecord, 'userId' | 'id'>,
): PurchasedLine | undefined {
  const isOwn = (claim: LineClaim) => claim.userId === userId && claim.trackingId === id;
  const claimedUnits = (index: number) => (claims[index] ?? []).reduce((sum, claim) => sum + claim.quantity, 0);
  return (
    candidates.find((_, index) => claims[index]?.some(isOwn)) ??
    candidates.find(({ quantity }, index) => claimedUnits(index) < quantity)
  );
}

/** Whether another consume of the same product is leased: it may have been answered with a line that it has not claimed yet. */
async function hasConcurrentConsume(
  { clock, pendingRecords }: MatchParts,
  { userId, id, request }: ConsumeRecord,
): Promise<boolean> {
  const entries = (await pendingRecords.dueForUser(userId)).filter((entry) => entry.id !== id);
  const others = await inParallel(entries, linesAtOnce, (entry) => pendingRecords.get(entry.userId, entry.id));
  return others.some(
    (other) =>
      other?.state === 'pending' &&
      other.leaseExpiresAt > clock.now() &&
      other.request.productId === request.productId &&
      other.request.account === request.account,
  );
}

async function purchasedLines(call: CallContext, parts: MatchParts, record: ConsumeRecord): Promise<PurchasedLine[]> {
  const { account, productId, sandbox } = record.request;
  const userKey = await parts.keyring.forUser(call, record.userId, account, 'purchase');
  const orders = await parts.purchase.queryOrders(call, userKey, { states: ['Purchased'], sandbox });
  return linesOf(orders, productId);
}

/** The purchased lines of one product, the oldest first. Pure. */
export function linesOf(orders: StoreOrder[], productId: string): PurchasedLine[] {
  return orders
    .flatMap(({ orderId, orderPurchasedDate, orderLineItems }) =>
      orderLineItems
        .filter((line) => line.productId === productId && line.lineItemState === 'Purchased')
        .map(({ lineItemId, quantity }) => ({
          orderId,
          lineItemId,
          quantity: quantity ?? 1,
          purchasedAt: isoOf(orderPurchasedDate) ?? orderPurchasedDate ?? '',
        })),
    )
    .sort(byPurchase);
}

function byPurchase(a: PurchasedLine, b: PurchasedLine): number {
  if (a.purchasedAt === b.purchasedAt) return 0;
  return a.purchasedAt < b.purchasedAt ? -1 : 1;
}
