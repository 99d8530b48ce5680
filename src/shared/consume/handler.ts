import type { FulfilmentHandler, Outcome } from '../fulfilment/types.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { EventsTable } from '../state/events.ts';
import type { StoreCaller } from '../store/authorize.ts';
import type { CollectionsApi } from '../store/collections.ts';
import { refusalOf } from '../store/response.ts';
import { concludeConsume } from './conclude.ts';
import type { MatchParts } from './match.ts';
import { consumeRejection, consumeResult } from './outcome.ts';
import { type ConsumeOrder, type ConsumeRecord, type ConsumeResult, consumeView, differingMember } from './record.ts';

export interface ConsumeParts extends MatchParts {
  collections: CollectionsApi;
  events: EventsTable;
}

/** A consume is sent with a stored key, or with an X-token in this one call. */
export function createConsumeHandler(parts: ConsumeParts): FulfilmentHandler<ConsumeOrder, ConsumeResult, StoreCaller> {
  const { keyring, events } = parts;
  return {
    differingMember,

    identity: (call, { userId, request }) => keyring.forUser(call, userId, request.account, 'collections'),

    attempt: (call, record, caller) => attemptConsume(parts, call, record, caller),

    conclude: (call, record, result, keep) => concludeConsume(parts, call, record, result, keep),

    async publishOutcome(record) {
      const { userId, id, settledAt, createdAt } = record;
      const about = { cause: [userId, id], at: settledAt ?? createdAt, subject: userId };
      const view = consumeView(record, false);
      if (view.state === 'completed') await events.put({ type: 'consume.completed', data: view, ...about });
      if (view.state === 'rejected') await events.put({ type: 'consume.rejected', data: view, ...about });
    },
  };
}

async function attemptConsume(
  { collections, clock }: Pick<ConsumeParts, 'collections' | 'clock'>,
  call: CallContext,
  { userId, id, request, byRequestIdentity }: ConsumeRecord,
  caller: StoreCaller,
): Promise<Outcome<ConsumeResult>> {
  const { productId, quantity, managedBy, sandbox } = request;
  try {
    const consumed = await collections.consume(call, caller, {
      productId,
      trackingId: id,
      sandbox,
      ...(managedBy === 'store' && { removeQuantity: quantity }),
    });
    const result = consumeResult(consumed);
    if (result.orders.length > 0) return { outcome: 'completed', result };
    if (managedBy === 'store' || byRequestIdentity)
      call.log('warn', 'consume.noOrderLine', { userId, id, candidates: 0 });
    return { outcome: 'completed', result: { ...result, progress: { doneBy: clock.now() } } };
  } catch (fault) {
    const refusal = refusalOf(fault, 'consume');
    const rejection = refusal && consumeRejection(refusal);
    if (rejection) return { outcome: 'rejected', rejection };
    throw fault;
  }
}
