import type { Conclusion, KeepResult } from '../fulfilment/types.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { inParallel } from '../lib/inParallel.ts';
import type { OrderLinesTable } from '../state/orderLines.ts';
import { isClaimedBefore, type MatchParts, matchByOrders } from './match.ts';
import type { ConsumeRecord, ConsumeResult } from './record.ts';

const linesAtOnce = 32;
/** Other attempts may write what they know at the same time; each writes twice at most. */
const keepRounds = 4;

/**
 * Finds the order line of a developer-managed consume whose ids were lost, and claims the lines, before the record says completed. Stops
 * at the deadline of the call; the next attempt goes on there. Null: the record has been settled meanwhile.
 * @throws Problem
 */
export async function concludeConsume(
  parts: MatchParts,
  call: CallContext,
  record: ConsumeRecord,
  attempted: ConsumeResult,
  keep: KeepResult<ConsumeResult>,
): Promise<Conclusion<ConsumeResult> | null> {
  const result = startingFrom(record.result, attempted);
  const { newQuantity, progress = {} } = result;
  const match = isLost(record, result) ? await matchByOrders(call, parts, record, progress) : result;
  if (!match.orders) {
    const rest = { newQuantity, orders: [], progress: { ...progress, ...match.progress } };
    return { concluded: false, reason: 'in_progress', result: rest };
  }
  const found: ConsumeResult =
    match === result ? result : { newQuantity, orders: match.orders, progress: { ...progress, ...match.progress } };
  const kept = needsKeeping(record, found) ? await keepOrders(keep, found) : found;
  if (kept === null) return null;
  const { orders } = kept;
  const claimedLines = await claimLines(parts, call, record, orders, kept.progress?.claimedLines ?? 0);
  if (claimedLines < orders.length) {
    const reached = { ...kept.progress, claimedLines };
    return { concluded: false, reason: 'in_progress', result: { newQuantity, orders, progress: reached } };
  }
  if (await giveBackIfTaken(parts, record, kept)) {
    const { doneBy } = kept.progress ?? {};
    const anew = { newQuantity, orders: [], progress: doneBy === undefined ? {} : { doneBy } };
    return { concluded: false, reason: 'in_progress', result: anew };
  }
  return { concluded: true, result: { newQuantity, orders } };
}

/** Whether another consume has the matched line: then this claim is taken back, and the search begins anew. @throws Problem unavailable */
async function giveBackIfTaken(
  { lines }: { lines: OrderLinesTable },
  record: ConsumeRecord,
  { orders: [line], progress }: ConsumeResult,
): Promise<boolean> {
  if (!line?.matchedBy || progress?.lineQuantity === undefined) return false;
  const { account, productId } = record.request;
  const claims = await lines.claims(line.orderId, line.lineItemId, productId);
  if (!isClaimedBefore(claims, record, progress.lineQuantity)) return false;
  await lines.unclaim({ userId: record.userId, trackingId: record.id, account, productId, ...line });
  return true;
}

/** What the record knows counts, unless this attempt alone knows order ids. */
function startingFrom(kept: ConsumeResult | null, attempted: ConsumeResult): ConsumeResult {
  return kept && (kept.orders.length > 0 || attempted.orders.length === 0) ? kept : attempted;
}

/**
 * Whether the order ids are to be looked for. Those of a consume with an X-token are not: the stored purchase key may be that of another
 * Store account.
 */
function isLost({ request, byRequestIdentity }: ConsumeRecord, { orders }: ConsumeResult): boolean {
  return request.managedBy === 'developer' && orders.length === 0 && !byRequestIdentity;
}

/** Order ids that cannot be had from the Store again are on disk before anything is done with them: its replay has none. */
function needsKeeping({ request, result }: ConsumeRecord, found: ConsumeResult): boolean {
  const isKept = result !== null && result.orders.length > 0;
  return request.managedBy === 'developer' && found.orders.length > 0 && !isKept;
}

/** The result that counts: an attempt that knows no order ids does not take the place of one that does. */
async function keepOrders(keep: KeepResult<ConsumeResult>, found: ConsumeResult): Promise<ConsumeResult | null> {
  let kept = await keep(found);
  for (let round = 1; round < keepRounds && kept?.orders.length === 0 && found.orders.length > 0; round += 1) {
    kept = await keep(found);
  }
  return kept;
}

/** Returns how many lines are claimed, from the first. @throws Problem unavailable */
async function claimLines(
  { lines, clock }: { lines: OrderLinesTable; clock: Clock },
  call: CallContext,
  { userId, id, request }: ConsumeRecord,
  orders: ConsumeResult['orders'],
  claimedBefore: number,
): Promise<number> {
  const { account, productId } = request;
  let claimed = claimedBefore;
  while (claimed < orders.length && clock.now() < call.deadline) {
    const batch = orders.slice(claimed, claimed + linesAtOnce);
    await inParallel(batch, linesAtOnce, (line) =>
      lines.claim({ userId, trackingId: id, account, productId, ...line }),
    );
    claimed += batch.length;
  }
  return claimed;
}
