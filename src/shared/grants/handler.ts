import { ZodError } from 'zod';
import type { GrantBody, GrantView } from '../contract/grants.ts';
import type { FulfilmentKind, Outcome } from '../fulfilment/engine.ts';
import type { FulfilmentRecord } from '../fulfilment/machine.ts';
import type { Entra } from '../identity/entra.ts';
import type { EventsTable } from '../state/events.ts';
import { type HeldKey, sendAsUser } from '../store/authorize.ts';
import { authFaultOf, isStatedRefusal } from '../store/errors.ts';
import { grantedOf, type PurchaseApi } from '../store/purchase.ts';
import { type StoreAnswer, StoreSilence } from '../store/transport.ts';
import type { Keyring } from '../storeIds/keyring.ts';

/** What is asked of the Store, the same to the letter in every attempt. */
export type GrantOrder = Omit<GrantBody, 'userId' | 'orderId'> & { sandbox: string };

export interface GrantResult {
  orderState: string;
  lineItems: { lineItemId: string; productId: string; skuId: string | null; quantity: number }[];
}

export type GrantRecord = FulfilmentRecord<GrantOrder, GrantResult>;

export interface GrantParts {
  entra: Entra;
  keyring: Keyring;
  purchase: PurchaseApi;
  events: EventsTable;
}

export function grantKind({
  entra,
  keyring,
  purchase,
  events,
}: GrantParts): FulfilmentKind<GrantOrder, GrantResult, HeldKey> {
  return {
    same: (a, b) =>
      a.productId === b.productId &&
      a.skuId === b.skuId &&
      a.availabilityId === b.availabilityId &&
      a.account === b.account,

    async identity(call, { userId, request }) {
      const [held] = await keyring.held(call, userId, request.account, 'purchase');
      if (!held) throw new Error('the keyring held nothing');
      return held;
    },

    async attempt(call, { id, request: { account: _, devOfferId, ...request } }, identity) {
      const order = { ...request, orderId: id, ...(devOfferId !== undefined && { devOfferId }) };
      try {
        return grantOutcome(
          await sendAsUser(call, entra, identity, (authorization) => purchase.grant(call, authorization, order)),
        );
      } catch (fault) {
        if (fault instanceof StoreSilence) return { outcome: 'unknown', why: 'no readable answer' };
        throw fault;
      }
    },

    // A free product is never refunded (store-api.md 5): there is nothing to find later.
    keep: async () => undefined,

    async announce(record) {
      const type = record.state === 'completed' ? 'grant.completed' : 'grant.rejected';
      const { userId, id, settledAt } = record;
      const at = settledAt ?? record.createdAt;
      await events.put({ type, cause: [userId, id], at, subject: userId, data: grantView(record, false) });
    },
  };
}

const finalStatuses = new Set([400, 403, 404, 409, 422]);

/** What an answer to a grant comes to: only what http-api.md 2.5 lists as final is a rejection. Pure. */
export function grantOutcome(answer: StoreAnswer): Outcome<GrantResult> {
  const store = answer.statement;
  if (answer.status === 200) return grantedBy(answer);
  const refused = finalStatuses.has(answer.status) && isStatedRefusal(answer) && authFaultOf(answer) === null;
  if (refused) return { outcome: 'rejected', rejection: { code: 'store_rejected', store } };
  return { outcome: 'unknown', why: `the Store answered ${answer.status}` };
}

function grantedBy(answer: StoreAnswer): Outcome<GrantResult> {
  try {
    const { orderState, orderLineItems } = grantedOf(answer);
    if (orderState === 'Canceled') {
      return { outcome: 'rejected', rejection: { code: 'store_rejected', store: answer.statement } };
    }
    if (orderState !== 'Purchased') return { outcome: 'unknown', why: `the order is ${orderState}` };
    const lineItems = (orderLineItems ?? []).map(({ lineItemId, productId, skuId, quantity }) => {
      return { lineItemId, productId, skuId: skuId || null, quantity: quantity ?? 1 };
    });
    return { outcome: 'completed', result: { orderState, lineItems } };
  } catch (fault) {
    if (!(fault instanceof ZodError)) throw fault;
    return { outcome: 'unknown', why: `the Store's answer has no valid ${fault.issues[0]?.path.join('.')}` };
  }
}

/** The record as callers see it. */
export function grantView(record: GrantRecord, replayed: boolean): GrantView {
  const { userId, id, request, result, rejection, createdAt, settledAt } = record;
  const { account, productId, skuId, availabilityId } = request;
  const who = { orderId: id, userId, account, productId, skuId };
  const at = new Date(settledAt ?? createdAt).toISOString();
  if (record.state === 'completed' && result)
    return { state: 'completed', ...who, ...result, replayed, completedAt: at };
  if (record.state === 'rejected' && rejection)
    return { state: 'rejected', ...who, availabilityId, ...rejection, rejectedAt: at };
  return { state: 'pending', ...who, availabilityId, since: at };
}
