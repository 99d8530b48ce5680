import type { GrantBody, GrantCompleted, GrantPending } from '../contract/grants.ts';
import { rejectionProblem } from '../fulfilment/rejection.ts';
import type { Submit } from '../fulfilment/types.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { UserKey } from '../store/authorize.ts';
import { type GrantOrder, type GrantResult, grantView } from './record.ts';

/** @throws Problem of the rejection, tracking_id_reused, unknown_user, store_id_expired, store_unauthorized, unavailable */
export type Grant = (call: CallContext, body: GrantBody) => Promise<GrantCompleted | GrantPending>;

export function createGrantService(submit: Submit<GrantOrder, GrantResult, UserKey>, sandbox: string): Grant {
  return async (call, { userId, orderId, ...order }) => {
    const { record, replayed } = await submit(call, userId, orderId, { ...order, sandbox });
    const view = grantView(record, replayed);
    if (view.state === 'rejected') throw rejectionProblem(view);
    return view;
  };
}
