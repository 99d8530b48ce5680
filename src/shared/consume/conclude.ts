import type { Conclusion } from '../fulfilment/types.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { inParallel } from '../lib/inParallel.ts';
import type { OrderLinesTable } from '../state/orderLines.ts';
import { type MatchParts, matchByOrders } from './match.ts';
import type { ConsumeProgress, ConsumeRecord, ConsumeResult } from './record.ts';

const linesAtOnce = 32;

/**
 * Finds the order line of a developer-managed consume whose ids were lost, and claims the lines, before the record says completed. Stops
 * at the deadline of the call; the next attempt goes on there.
 * @throws Problem
 */
export async function concludeConsume(
  parts: MatchParts,
  call: CallContext,
  record: ConsumeRecord,
  { newQuantity, orders, progress = { claimedLines: 0 } }: ConsumeResult,
): Promise<Conclusion<ConsumeResult>> {
  const isMatched = record.request.managedBy === 'store' || orders.length > 0;
  const match = isMatched ? { orders } : await matchByOrders(call, parts, record, progress.searchedTo);
  if (!match.orders) {
    const { searchedTo } = match;
    const reached = { claimedLines: 0, ...(searchedTo !== undefined && { searchedTo }) };
    return { concluded: false, reason: 'in_progress', result: { newQuantity, orders: [], progress: reached } };
  }
  const result: ConsumeResult = { newQuantity, orders: match.orders };
  const claimedLines = await claimLines(parts, call, record, match.orders, progress);
  if (claimedLines === match.orders.length) return { concluded: true, result };
  return { concluded: false, reason: 'in_progress', result: { ...result, progress: { claimedLines } } };
}

/** Returns how many lines are claimed, from the first. @throws Problem unavailable */
async function claimLines(
  { lines, clock }: { lines: OrderLinesTable; clock: Clock },
  call: CallContext,
  { userId, id, request }: ConsumeRecord,
  orders: ConsumeResult['orders'],
  { claimedLines }: ConsumeProgress,
): Promise<number> {
  const { account, productId } = request;
  let claimed = claimedLines;
  while (claimed < orders.length && clock.now() < call.deadline) {
    const batch = orders.slice(claimed, claimed + linesAtOnce);
    await inParallel(batch, linesAtOnce, (line) =>
      lines.claim({ userId, trackingId: id, account, productId, ...line }),
    );
    claimed += batch.length;
  }
  return claimed;
}
