/** The requests of the README with the client that `@hey-api/openapi-ts` makes. */
import { createClient } from './generated/heyApi/client/index.js';
import * as api from './generated/heyApi/index.js';
import { dateOf, expected, ids, type Play } from './play.ts';

type Event = api.EventFeed['events'][number];

/** Each type of event has data of its own. */
function told(event: Event): number | string {
  switch (event.type) {
    case 'consume.completed':
      return event.data.newQuantity;
    case 'consume.rejected':
      return event.data.code;
    case 'grant.completed':
      // @ts-expect-error: no grant has a balance
      event.data.newQuantity;
      return event.data.orderState;
    case 'grant.rejected':
      return event.data.availabilityId;
  }
}

export const play: Play = async ({ baseUrl, functionKey, userId, keys, loseAnswers }) => {
  const client = createClient({ baseUrl, headers: { 'x-functions-key': functionKey } });
  const path = { userId };
  expected(await api.putUserStoreIds({ client, path, body: keys }));
  const { accounts } = expected(await api.getUserStoreIds({ client, path }));
  const products = ['SWORD', { productId: 'SHIELD', skuId: '0010' }];
  const owned = expected(await api.entitlements({ client, body: { userId, products } }));
  const { tiers } = expected(await api.gamePass({ client, body: { userId } }));

  const consume = (trackingId: string) => api.consume({ client, body: { userId, productId: 'COINS', trackingId } });
  const first = expected(await consume(ids.first));
  loseAnswers();
  const { data: pending, response } = await consume(ids.second);
  const again = expected(await consume(ids.second));
  if (first.state !== 'completed' || again.state !== 'completed') throw new Error('not consumed');
  const recordPath = { userId, trackingId: again.trackingId };
  const record = expected(await api.consumeRecord({ client, path: recordPath }));

  const feed = expected(await api.events({ client, query: { limit: 10, wait: 1 } }));
  const ack = expected(await api.eventsAck({ client, body: { ids: feed.events.map(({ id }) => id) } }));
  const gift = { userId, productId: 'GIFT', skuId: '0010', availabilityId: 'GIFT-A1', orderId: ids.gift };
  const grant = await api.grant({ client, body: gift });
  const granted = expected(grant);

  // @ts-expect-error: a consume needs a tracking id
  const refused = await api.consume({ client, body: { userId, productId: 'COINS' } });
  // The generator types it as unknown, since a 401 has no body.
  const problem = refused.error as api.Problem;

  return {
    keyState: accounts[0]?.collections?.state,
    owned: owned.items.map(({ productId, endsAt, trial }) => ({
      productId,
      endsAt: dateOf(endsAt),
      remainingSeconds: trial.remainingSeconds,
    })),
    tiers: tiers.map(({ tier, since }) => ({ tier, since: dateOf(since) })),
    balance: first.newQuantity,
    pending: {
      status: response?.status ?? 0,
      state: pending?.state ?? '',
      location: response?.headers.get('location') ?? null,
      retryAfter: response?.headers.get('retry-after') ?? null,
    },
    record: record.state === 'rejected' ? record.code : record.state,
    events: feed.events.map(told),
    acknowledged: ack.acknowledged,
    granted: {
      status: grant.response?.status ?? 0,
      lines: granted.state === 'completed' ? granted.lineItems.length : 0,
    },
    problem: { code: problem.code, wrong: problem.errors?.map((one) => one.path) ?? [] },
  };
};
