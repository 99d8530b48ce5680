import type { ConsumeBody, ConsumeCompleted, ConsumePending } from '../contract/consume.ts';
import { rejectionProblem } from '../fulfilment/rejection.ts';
import type { Submit } from '../fulfilment/types.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { StoreCaller } from '../store/authorize.ts';
import { type ConsumeOrder, type ConsumeResult, consumeView, orderOf } from './record.ts';

/** @throws Problem of the rejection, tracking_id_reused, unknown_user, store_id_expired, store_unauthorized, unavailable */
export type Consume = (call: CallContext, body: ConsumeBody) => Promise<ConsumeCompleted | ConsumePending>;

export function createConsumeService(
  submit: Submit<ConsumeOrder, ConsumeResult, StoreCaller>,
  sandbox: string,
): Consume {
  return async (call, body) => {
    const { userId, trackingId, xToken } = body;
    const requestIdentity = xToken && { xToken };
    const { record, replayed } = await submit(call, userId, trackingId, orderOf(body, sandbox), requestIdentity);
    const view = consumeView(record, replayed);
    if (view.state === 'rejected') throw rejectionProblem(view, rejectionAdvice(view));
    return view;
  };
}

/** The most frequent cause: the Store refuses a quantity for a developer-managed product, and demands one for others (store-api.md 2.4). */
function rejectionAdvice({ code, managedBy }: { code: string; managedBy: 'store' | 'developer' }): string | undefined {
  if (code !== 'store_rejected') return undefined;
  return managedBy === 'store'
    ? 'If the product is developer-managed (UnmanagedConsumable), send managedBy "developer" and no quantity.'
    : 'If the Store manages the balance of the product (Consumable), leave managedBy out.';
}
