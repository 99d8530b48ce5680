import type { CallContext } from '../lib/callContext.ts';
import { chunksOf } from '../lib/chunks.ts';
import type { Clock } from '../lib/clock.ts';
import { isSameId } from '../lib/ids.ts';
import { inParallel } from '../lib/inParallel.ts';
import type { FulfilmentsTable } from '../state/fulfilments.ts';
import type { LineClaim, OrderLinesTable, StoredClaim } from '../state/orderLines.ts';
import { isoOf } from '../store/dates.ts';
import { storeUnavailable } from '../store/errors.ts';
import type { PurchaseApi, StoreOrder } from '../store/purchase.ts';
import type { Keyring } from '../storeIds/keyring.ts';
import type { ConsumedLine, ConsumeOrder, ConsumeProgress, ConsumeRecord, ConsumeResult } from './record.ts';

export interface MatchParts {
  keyring: Keyring;
  purchase: PurchaseApi;
  lines: OrderLinesTable;
  /** Consumes that are not settled. */
  pendingRecords: Pick<FulfilmentsTable<ConsumeOrder, ConsumeResult>, 'pendingOfUser' | 'get'>;
  clock: Clock;
}

export interface CandidateLine {
  orderId: string;
  lineItemId: string;
  quantity: number;
  purchasedAt: string;
  /** Refunded after it was consumed: a consume took it for certain. */
  revoked: boolean;
}

/** A line with the consumes that claim it. */
export interface ClaimedLine {
  line: CandidateLine;
  claims: LineClaim[];
}

/** The lines that were found, perhaps none; without them the search stopped at the deadline. */
export interface Match {
  orders?: ConsumedLine[];
  progress?: ConsumeProgress;
}

const linesAtOnce = 16;
/** An attempt whose end is not recorded may go on this long after its lease, in a process whose clock is late. */
const clockToleranceMs = 2 * 60_000;

/**
 * The order line of a developer-managed consume whose ids were lost, since its replay returns none (store-api.md 2.4). No line: the Store
 * lists none that could be it.
 * @throws Problem when it cannot be decided yet: the orders cannot be read, also for want of a purchase key, or another consume may
 * still claim a line
 */
export async function matchByOrders(
  call: CallContext,
  parts: MatchParts,
  record: ConsumeRecord,
  progress: ConsumeProgress,
): Promise<Match> {
  if (await hasConcurrentConsume(parts, record)) {
    throw storeUnavailable({ cause: new Error('another consume of this product may still claim a line') });
  }
  const candidates = await candidateLines(call, parts, record, progress.doneBy);
  const search = await readClaims(parts, call, record, candidates, progress.searchedTo);
  const found = lineToClaim(search.claimed, record);
  if (found && (search.complete || isOwnLine(found, record))) {
    const { orderId, lineItemId, quantity: lineQuantity } = found.line;
    return { orders: [{ orderId, lineItemId, quantity: 1, matchedBy: 'orders' }], progress: { lineQuantity } };
  }
  if (!search.complete) return { progress: search.searchedTo === undefined ? {} : { searchedTo: search.searchedTo } };
  call.log('warn', 'consume.noOrderLine', {
    userId: record.userId,
    id: record.id,
    candidates: candidates.length,
  });
  return { orders: [] };
}

/**
 * The line that this very consume claimed in an earlier attempt; else one that was refunded after a consume that is not known; else the
 * oldest that is not wholly claimed. Pure.
 */
export function lineToClaim(
  lines: ClaimedLine[],
  record: Pick<ConsumeRecord, 'userId' | 'id'>,
): ClaimedLine | undefined {
  const free = lines.filter(isFree);
  return lines.find((one) => isOwnLine(one, record)) ?? free.find(({ line }) => line.revoked) ?? free[0];
}

function isOwnLine({ claims }: ClaimedLine, { userId, id }: Pick<ConsumeRecord, 'userId' | 'id'>): boolean {
  return claims.some((claim) => claim.userId === userId && claim.trackingId === id);
}

function isFree({ line, claims }: ClaimedLine): boolean {
  return claims.reduce((sum, claim) => sum + claim.quantity, 0) < line.quantity;
}

/**
 * Reads who claims the lines: all that were refunded after a consume, then the purchased ones from the oldest to the first that is free
 * or claimed by this consume.
 */
async function readClaims(
  { lines, clock }: Pick<MatchParts, 'lines' | 'clock'>,
  call: CallContext,
  record: ConsumeRecord,
  candidates: CandidateLine[],
  after: string | undefined,
): Promise<{ claimed: ClaimedLine[]; searchedTo: string | undefined; complete: boolean }> {
  const claimsOf = async (line: CandidateLine): Promise<ClaimedLine> => {
    return { line, claims: await lines.claims(line.orderId, line.lineItemId, record.request.productId) };
  };
  const revoked = candidates.filter((line) => line.revoked);
  const purchased = candidates.filter((line) => !line.revoked && (after === undefined || keyOf(line) > after));
  const claimed = await inParallel(revoked, linesAtOnce, claimsOf);
  let searchedTo = after;
  // In an attempt that stopped before its record was written, the own claim is the first line that was free then.
  for (const batch of chunksOf(purchased, linesAtOnce)) {
    if (clock.now() >= call.deadline) return { claimed, searchedTo, complete: false };
    const found = await inParallel(batch, linesAtOnce, claimsOf);
    claimed.push(...found);
    if (found.some((one) => isFree(one) || isOwnLine(one, record))) break;
    searchedTo = keyOf(batch.at(-1) as CandidateLine);
  }
  return { claimed, searchedTo, complete: true };
}

/**
 * Whether earlier claims take the whole line: another player of the same Store account has matched it at the same time. Whoever claimed
 * first keeps it. Pure.
 */
export function isClaimedBefore(
  claims: StoredClaim[],
  record: Pick<ConsumeRecord, 'userId' | 'id'>,
  lineQuantity: number,
): boolean {
  const order = ({ claimedAt, trackingId, userId }: StoredClaim) => `${claimedAt} ${trackingId} ${userId}`;
  const own = claims.find(({ userId, trackingId }) => userId === record.userId && trackingId === record.id);
  if (!own) return false;
  const earlier = claims.filter((claim) => order(claim) < order(own));
  return earlier.reduce((sum, { quantity }) => sum + quantity, 0) >= lineQuantity;
}

/** Whether another consume of the same product may have been answered with a line that it has not claimed yet. */
async function hasConcurrentConsume(
  { clock, pendingRecords }: MatchParts,
  { userId, id, request }: ConsumeRecord,
): Promise<boolean> {
  const ids = (await pendingRecords.pendingOfUser(userId)).filter((one) => one.id !== id);
  const others = await inParallel(ids, linesAtOnce, (one) => pendingRecords.get(one.userId, one.id));
  const isAtWork = (leaseExpiresAt: number) => leaseExpiresAt !== 0 && leaseExpiresAt + clockToleranceMs > clock.now();
  return others.some(
    (other) =>
      other?.state === 'pending' &&
      (isAtWork(other.leaseExpiresAt) || (other.result?.orders.length ?? 0) > 0) &&
      isSameId(other.request.productId, request.productId) &&
      other.request.account === request.account,
  );
}

/** @throws Problem store_id_expired without a purchase key, which the game client can make */
async function candidateLines(
  call: CallContext,
  parts: MatchParts,
  record: ConsumeRecord,
  doneBy = Number.POSITIVE_INFINITY,
): Promise<CandidateLine[]> {
  const { account, productId, sandbox } = record.request;
  const userKey = await parts.keyring.forUser(call, record.userId, account, 'purchase');
  const states = ['Purchased', 'Revoked'] as const;
  const orders = await parts.purchase.queryOrders(call, userKey, { states: [...states], sandbox });
  const latest = doneBy + clockToleranceMs;
  // A date that cannot be read excludes nothing.
  return linesOf(orders, productId).filter(({ purchasedAt }) => !(Date.parse(purchasedAt) > latest));
}

/** The lines of one product that may have been consumed, the oldest first. Pure. */
export function linesOf(orders: StoreOrder[], productId: string): CandidateLine[] {
  return orders
    .flatMap(({ orderId, orderPurchasedDate, orderLineItems }) =>
      orderLineItems
        .filter((line) => isSameId(line.productId, productId) && /^(purchased|revoked)$/i.test(line.lineItemState))
        .map(({ lineItemId, quantity, lineItemState }) => ({
          orderId,
          lineItemId,
          quantity: quantity ?? 1,
          purchasedAt: isoOf(orderPurchasedDate) ?? orderPurchasedDate ?? '',
          revoked: /^revoked$/i.test(lineItemState),
        })),
    )
    .sort(byPurchase);
}

/** Sorts lines by their purchase, and identifies them. */
function keyOf({ purchasedAt, orderId, lineItemId }: CandidateLine): string {
  return `${purchasedAt} ${orderId} ${lineItemId}`;
}

function byPurchase(a: CandidateLine, b: CandidateLine): number {
  if (keyOf(a) === keyOf(b)) return 0;
  return keyOf(a) < keyOf(b) ? -1 : 1;
}
