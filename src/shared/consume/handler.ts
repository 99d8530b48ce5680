import type { FulfilmentHandler, Outcome } from '../fulfilment/types.ts';
import type { CallContext } from '../lib/callContext.ts';
import { inParallel } from '../lib/inParallel.ts';
import type { EventsTable } from '../state/events.ts';
import { isXToken, type StoreCaller } from '../store/authorize.ts';
import type { CollectionsApi, Consumed } from '../store/collections.ts';
import { refusalOf } from '../store/response.ts';
import { type MatchParts, matchByOrders } from './match.ts';
import { consumeRefusal, consumeResult } from './outcome.ts';
import { type ConsumeOrder, type ConsumeRecord, type ConsumeResult, consumeView, isSameOrder } from './record.ts';

export interface ConsumeParts extends MatchParts {
  collections: CollectionsApi;
  events: EventsTable;
}

const linesAtOnce = 32;

/** A consume is sent with a stored key, or with an X-token in this one call. */
export function createConsumeHandler(parts: ConsumeParts): FulfilmentHandler<ConsumeOrder, ConsumeResult, StoreCaller> {
  const { keyring, lines, events } = parts;
  return {
    isSameRequest: isSameOrder,

    identity: (call, { userId, request }) => keyring.forUser(call, userId, request.account, 'collections'),

    attempt: (call, record, caller) => attemptConsume(parts, call, record, caller),

    async saveOrderLines({ userId, id, request }, { orders }) {
      const { account, productId } = request;
      await inParallel(orders, linesAtOnce, (line) =>
        lines.claim({ userId, trackingId: id, account, productId, ...line }),
      );
    },

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
  parts: ConsumeParts,
  call: CallContext,
  record: ConsumeRecord,
  caller: StoreCaller,
): Promise<Outcome<ConsumeResult>> {
  const { productId, quantity, managedBy, sandbox, byXToken } = record.request;
  // With a key the Store refuses it, even if it was done with the X-token (store-api.md 2.4): that refusal is not final.
  if (byXToken && managedBy === 'developer' && sandbox !== 'RETAIL' && !isXToken(caller)) {
    return { outcome: 'unknown', why: 'only an X-token consumes it in a sandbox' };
  }
  let consumed: Consumed;
  try {
    consumed = await parts.collections.consume(call, caller, {
      productId,
      trackingId: record.id,
      sandbox,
      ...(managedBy === 'store' && { removeQuantity: quantity }),
    });
  } catch (fault) {
    const refusal = refusalOf(fault, 'consume');
    if (refusal) return consumeRefusal(refusal);
    throw fault;
  }
  const result = consumeResult(consumed);
  if (managedBy === 'store' || result.orders.length > 0) return { outcome: 'completed', result };
  return { outcome: 'completed', result: { ...result, orders: await matchByOrders(call, parts, record) } };
}
