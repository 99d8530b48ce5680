import type { FulfilmentKind, Outcome } from '../fulfilment/engine.ts';
import { inParallel } from '../lib/inParallel.ts';
import type { EventsTable } from '../state/events.ts';
import { type HeldKey, sendAsUser } from '../store/authorize.ts';
import type { CollectionsApi, StoreAuthorization } from '../store/collections.ts';
import { StoreSilence } from '../store/transport.ts';
import { type MatchParts, matchByOrders } from './match.ts';
import { consumeOutcome } from './outcome.ts';
import { type ConsumeOrder, type ConsumeResult, consumeView, sameOrder } from './record.ts';

/** As whom a consume is sent: with a stored key, or with an X-token in this one call. */
export type ConsumeIdentity = HeldKey | Extract<StoreAuthorization, { xToken: unknown }>;

export interface ConsumeParts extends MatchParts {
  collections: CollectionsApi;
  events: EventsTable;
}

const linesAtOnce = 32;

export function consumeKind(parts: ConsumeParts): FulfilmentKind<ConsumeOrder, ConsumeResult, ConsumeIdentity> {
  const { entra, keyring, collections, lines, events } = parts;
  return {
    same: sameOrder,

    async identity(call, { userId, request }) {
      const [held] = await keyring.held(call, userId, request.account, 'collections');
      if (!held) throw new Error('the keyring held nothing');
      return held;
    },

    async attempt(call, record, identity): Promise<Outcome<ConsumeResult>> {
      const { productId, quantity, managedBy, sandbox, byXToken } = record.request;
      // The Store refuses it with a key, whether or not the X-token had it done (store-api.md 2.4): that word would settle nothing.
      if (byXToken && managedBy === 'developer' && sandbox !== 'RETAIL' && !('xToken' in identity))
        return { outcome: 'unknown', why: 'only an X-token consumes it in a sandbox' };
      const request = {
        ...{ productId, trackingId: record.id, sandbox },
        ...(managedBy === 'store' && { removeQuantity: quantity }),
      };
      const send = (authorization: StoreAuthorization) => collections.consume(call, authorization, request);
      try {
        const answer = await ('xToken' in identity ? send(identity) : sendAsUser(call, entra, identity, send));
        const outcome = consumeOutcome(answer);
        const lost = outcome.outcome === 'completed' && managedBy === 'developer' && outcome.result.orders.length === 0;
        if (!lost) return outcome;
        return { ...outcome, result: { ...outcome.result, orders: await matchByOrders(call, parts, record) } };
      } catch (fault) {
        if (fault instanceof StoreSilence) return { outcome: 'unknown', why: 'no readable answer' };
        throw fault;
      }
    },

    async keep({ userId, id, request }, { orders }) {
      await inParallel(orders, linesAtOnce, (line) =>
        lines.claim({ userId, trackingId: id, account: request.account, productId: request.productId, ...line }),
      );
    },

    async announce(record) {
      const type = record.state === 'completed' ? 'consume.completed' : 'consume.rejected';
      const { userId, id, settledAt } = record;
      const at = settledAt ?? record.createdAt;
      await events.put({ type, cause: [userId, id], at, subject: userId, data: consumeView(record, false) });
    },
  };
}
