import * as z from 'zod';
import { isSameId } from '../lib/ids.ts';
import { optionalCount, optionalText, requiredText, storeObject } from './answer.ts';

/** What the Store took for one consume (store-api.md 2.4). */
export interface Consumed {
  newQuantity: number;
  /** Absent or null: the Store lists none. */
  orderTransactions?: OrderTransaction[] | null | undefined;
}

export interface OrderTransaction {
  orderId: string;
  orderLineItemId: string;
  quantityConsumed: number;
}

/** A line without its ids makes the answer an error: a refund could not be matched with what it bought. */
const transaction = storeObject({
  orderId: requiredText,
  orderLineItemId: requiredText,
  quantityConsumed: optionalCount,
});
const answer = storeObject({
  trackingId: optionalText,
  newQuantity: optionalCount,
  orderTransactions: z.array(transaction).nullable(),
});

/**
 * The answer to a consume. What is missing is filled in only where the request leaves no doubt: the balance of a developer-managed
 * product, which is documented as 0, and the quantity of one line. Otherwise the answer counts as unreadable.
 */
export function consumedBy(request: { trackingId: string; removeQuantity: number | undefined }) {
  return answer.transform((read, context): Consumed => {
    const isAnswered = read.trackingId !== null && isSameId(read.trackingId, request.trackingId);
    const documented = request.removeQuantity === undefined && isAnswered ? 0 : null;
    const newQuantity = read.newQuantity ?? documented;
    const orderTransactions = withQuantities(read.orderTransactions, request.removeQuantity ?? 1);
    if (newQuantity !== null && orderTransactions !== undefined) return { newQuantity, orderTransactions };
    const member = newQuantity === null ? 'newQuantity' : 'orderTransactions';
    context.addIssue({ code: 'custom', path: [member], message: 'is missing or unreadable', input: read });
    return z.NEVER;
  });
}

/** The lines with the quantity of each; one that is missing is what the others leave of `total`. Undefined if that says nothing. Pure. */
function withQuantities(
  lines: z.output<typeof transaction>[] | null,
  total: number,
): OrderTransaction[] | null | undefined {
  if (lines === null) return null;
  const known = lines.reduce((sum, { quantityConsumed }) => sum + (quantityConsumed ?? 0), 0);
  const missing = lines.filter(({ quantityConsumed }) => quantityConsumed === null).length;
  if (missing > 1 || (missing === 1 && known >= total)) return undefined;
  return lines.map((line) => ({ ...line, quantityConsumed: line.quantityConsumed ?? total - known }));
}
