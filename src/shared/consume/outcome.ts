import { ZodError } from 'zod';
import type { Outcome } from '../fulfilment/engine.ts';
import { consumedOf } from '../store/collections.ts';
import { isStatedRefusal } from '../store/errors.ts';
import type { StoreAnswer } from '../store/transport.ts';
import type { ConsumeResult } from './record.ts';

/** What an answer to a consume comes to: only what http-api.md 2.4 lists as final is a rejection. Pure. */
export function consumeOutcome(answer: StoreAnswer): Outcome<ConsumeResult> {
  if (answer.status === 200) return completedBy(answer);
  const store = answer.statement;
  const code = store.code?.toLowerCase();
  if (isStatedRefusal(answer)) {
    const missing = answer.status === 404 || (answer.status === 400 && code === 'insufficientconsumequantity');
    if (missing) return { outcome: 'rejected', rejection: { code: 'insufficient_quantity', store } };
    if (answer.status === 400 && code === 'invalidparameter') {
      return { outcome: 'rejected', rejection: { code: 'store_rejected', store } };
    }
  }
  return { outcome: 'unknown', why: `the Store answered ${answer.status}` };
}

function completedBy(answer: StoreAnswer): Outcome<ConsumeResult> {
  try {
    const { newQuantity, orderTransactions } = consumedOf(answer);
    const orders = (orderTransactions ?? []).map(({ orderId, orderLineItemId, quantityConsumed }) => {
      return { orderId, lineItemId: orderLineItemId, quantity: quantityConsumed };
    });
    return { outcome: 'completed', result: { newQuantity, orders } };
  } catch (fault) {
    if (!(fault instanceof ZodError)) throw fault;
    return { outcome: 'unknown', why: `the Store's answer has no valid ${fault.issues[0]?.path.join('.')}` };
  }
}
