import type { FulfilmentHandler } from '../fulfilment/types.ts';
import type { EventsTable } from '../state/events.ts';
import type { UserKey } from '../store/authorize.ts';
import type { PurchaseApi } from '../store/purchase.ts';
import { refusalOf } from '../store/response.ts';
import type { Keyring } from '../storeIds/keyring.ts';
import { grantOutcome, grantRejection } from './outcome.ts';
import { differingMember, type GrantOrder, type GrantResult, grantView } from './record.ts';

export interface GrantParts {
  keyring: Keyring;
  purchase: PurchaseApi;
  events: EventsTable;
}

export function createGrantHandler(parts: GrantParts): FulfilmentHandler<GrantOrder, GrantResult, UserKey> {
  const { keyring, purchase, events } = parts;
  return {
    differingMember,

    identity: (call, { userId, request }) => keyring.forUser(call, userId, request.account, 'purchase'),

    async attempt(call, { id, request }, userKey) {
      const { account: _, devOfferId, ...order } = request;
      try {
        const { value, info } = await purchase.grant(call, userKey, {
          ...order,
          orderId: id,
          ...(devOfferId !== undefined && { devOfferId }),
        });
        return grantOutcome(value, info);
      } catch (fault) {
        const refusal = refusalOf(fault, 'grant');
        const rejection = refusal && grantRejection(refusal);
        if (rejection) return { outcome: 'rejected', rejection };
        throw fault;
      }
    },

    // A free product is never refunded (store-api.md 5): there is nothing to find later.
    conclude: async (_call, _record, result) => ({ concluded: true, result }),

    async publishOutcome(record) {
      const { userId, id, settledAt, createdAt } = record;
      const about = { cause: [userId, id], at: settledAt ?? createdAt, subject: userId };
      const view = grantView(record, false);
      if (view.state === 'completed') await events.put({ type: 'grant.completed', data: view, ...about });
      if (view.state === 'rejected') await events.put({ type: 'grant.rejected', data: view, ...about });
    },
  };
}
