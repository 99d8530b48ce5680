/** The requests of the README with `openapi-fetch` and the types that `openapi-typescript` makes. */
import createClient from 'openapi-fetch';
import type { components, paths } from './generated/schema.js';
import { dateOf, expected, ids, type Play } from './play.ts';

type Event = components['schemas']['EventFeed']['events'][number];

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
  const { GET, POST, PUT } = createClient<paths>({ baseUrl, headers: { 'x-functions-key': functionKey } });
  const path = { userId };
  expected(await PUT('/users/{userId}/store-ids', { params: { path }, body: keys }));
  const { accounts } = expected(await GET('/users/{userId}/store-ids', { params: { path } }));
  const products = ['SWORD', { productId: 'SHIELD', skuId: '0010' }];
  const owned = expected(await POST('/entitlements/query', { body: { userId, products } }));
  const { tiers } = expected(await POST('/game-pass/query', { body: { userId } }));

  const consume = (trackingId: string) =>
    POST('/consumables/consume', { body: { userId, productId: 'COINS', trackingId } });
  const first = expected(await consume(ids.first));
  loseAnswers();
  const { data: pending, response } = await consume(ids.second);
  const again = expected(await consume(ids.second));
  if (first.state !== 'completed' || again.state !== 'completed') throw new Error('not consumed');
  const recordPath = { userId, trackingId: again.trackingId };
  const record = expected(await GET('/consumables/consume/{userId}/{trackingId}', { params: { path: recordPath } }));

  const feed = expected(await GET('/events', { params: { query: { limit: 10, wait: 1 } } }));
  const ack = expected(await POST('/events/ack', { body: { ids: feed.events.map(({ id }) => id) } }));
  const gift = { userId, productId: 'GIFT', skuId: '0010', availabilityId: 'GIFT-A1', orderId: ids.gift };
  const grant = await POST('/grants', { body: gift });
  const granted = expected(grant);

  // @ts-expect-error: a consume needs a tracking id
  const refused = await POST('/consumables/consume', { body: { userId, productId: 'COINS' } });
  if (refused.error === undefined) throw new Error('not refused');

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
      status: response.status,
      state: pending?.state ?? '',
      location: response.headers.get('location'),
      retryAfter: response.headers.get('retry-after'),
    },
    record: record.state === 'rejected' ? record.code : record.state,
    events: feed.events.map(told),
    acknowledged: ack.acknowledged,
    granted: { status: grant.response.status, lines: granted.state === 'completed' ? granted.lineItems.length : 0 },
    problem: { code: refused.error.code, wrong: refused.error.errors?.map((one) => one.path) ?? [] },
  };
};
