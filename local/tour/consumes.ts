/** Steps about what changes something at the Store: consumes with their events, and grants. */
import { randomUUID } from 'node:crypto';
import { type Json, type Step, step, type Tour } from './step.ts';

const consumePath = '/api/consumables/consume';

export function consumeSteps(tour: Tour): Step[] {
  const [first, second] = [randomUUID(), randomUUID()];
  return [...plainConsumeSteps(tour, first), ...lostAnswerSteps(tour, second), ...refusalSteps(tour)];
}

function plainConsumeSteps(tour: Tour, trackingId: string): Step[] {
  const { stack, player } = tour;
  const store = stack.store.control;
  return [
    step({
      title: 'The player buys a pack of 100 coins, and spends 30 of them.',
      run: async () => {
        store.putProduct('COINS', { kind: 'Consumable', unitsPerPurchase: 100 });
        store.purchase({ user: player, productId: 'COINS' });
        const { status, body } = await spend(tour, trackingId, 30);
        return { status, state: body.state, consumed: body.orders[0].quantity, left: body.newQuantity };
      },
      expected: { status: 200, state: 'completed', consumed: 30, left: 70 },
      words: ({ status, state, consumed, left }) => `${status} ${state}, ${left} left (${consumed} consumed)`,
    }),
    step({
      title: 'The same request again, as after a lost answer: the same outcome, and nothing consumed twice.',
      run: async () => {
        const { status, body } = await spend(tour, trackingId, 30);
        return {
          status,
          state: body.state,
          left: body.newQuantity,
          replayed: body.replayed,
          atStore: coinsAtStore(tour),
        };
      },
      expected: { status: 200, state: 'completed', left: 70, replayed: true, atStore: 70 },
      words: ({ status, state, left, replayed, atStore }) =>
        `${status} ${state}, ${left} left, ${replayed ? 'a replay' : 'not a replay'}; the Store has ${atStore}`,
    }),
  ];
}

function lostAnswerSteps(tour: Tour, trackingId: string): Step[] {
  const { stack } = tour;
  return [
    step({
      title: 'The Store consumes 30 more, but its answers are lost: pending, and kept until it is known.',
      run: async () => {
        stack.store.control.addFault({ operation: 'consume', dropResponse: true, times: 2 });
        const { status, body } = await spend(tour, trackingId, 30);
        const waiting = await tour.ask('GET', '/api/pending');
        const listed = waiting.body.items.map(({ id }: { id: string }) => id).join();
        return { status, state: body.state, reason: body.reason, listed, atStore: coinsAtStore(tour) };
      },
      expected: { status: 202, state: 'pending', reason: 'store_unavailable', listed: trackingId, atStore: 40 },
      words: ({ status, state, reason, atStore }) =>
        `${status} ${state} (${reason}), and listed as pending; the Store has ${atStore}`,
    }),
    step({
      title: 'Asked again (the recovery timer would do so after a minute), the Store says what it did.',
      run: async () => {
        const { status, body } = await spend(tour, trackingId, 30);
        return { status, state: body.state, left: body.newQuantity, atStore: coinsAtStore(tour) };
      },
      expected: { status: 200, state: 'completed', left: 40, atStore: 40 },
      words: ({ status, state, left, atStore }) => `${status} ${state}, ${left} left; the Store has ${atStore}`,
    }),
    ...eventSteps(tour, trackingId),
  ];
}

function eventSteps({ ask }: Tour, trackingId: string): Step[] {
  return [
    step({
      title: 'Since the answer was \u201cpending\u201d, there is an event about it, until it is acknowledged.',
      run: async () => {
        const { body } = await ask('GET', '/api/events');
        const ids = body.events.map(({ id }: Json) => id);
        const acknowledged = await ask('POST', '/api/events/ack', { ids });
        const after = await ask('GET', '/api/events');
        return {
          events: body.events.map(({ type }: Json) => type),
          ofThisConsume: body.events.every(({ data }: Json) => data.trackingId === trackingId),
          acknowledged: acknowledged.body.acknowledged,
          left: after.body.events.length,
        };
      },
      expected: { events: ['consume.completed'], ofThisConsume: true, acknowledged: 1, left: 0 },
      words: ({ events, ofThisConsume, acknowledged, left }) =>
        `${events.join(', ')} of ${ofThisConsume ? 'this' : 'another'} consume; ${acknowledged} acknowledged, ${left} left`,
    }),
  ];
}

function refusalSteps(tour: Tour): Step[] {
  return [
    step({
      title: 'More than the player has left is refused for good.',
      run: async () => {
        const { status, body } = await spend(tour, randomUUID(), 41);
        return { status, code: body.code };
      },
      expected: { status: 409, code: 'insufficient_quantity' },
      words: ({ status, code }) => `${status} ${code}`,
    }),
  ];
}

export function grantSteps({ stack, ask, player }: Tour): Step[] {
  return [
    step({
      title: 'A free gift is granted once, however often it is asked for.',
      run: async () => {
        stack.store.control.putProduct('GIFT', { kind: 'Durable', price: 0 });
        const gift = {
          userId: player,
          productId: 'GIFT',
          skuId: '0010',
          availabilityId: 'GIFT-A1',
          orderId: randomUUID(),
        };
        const first = await ask('POST', '/api/grants', gift);
        const second = await ask('POST', '/api/grants', gift);
        const orders = stack.store.control.state().orders.filter(({ orderId }) => orderId === gift.orderId);
        return { first: first.status, second: second.status, orders: orders.length };
      },
      expected: { first: 201, second: 200, orders: 1 },
      words: ({ first, second, orders }) => `${first}, then ${second}; the Store has ${orders} order`,
    }),
  ];
}

function spend({ ask, player }: Tour, trackingId: string, quantity: number) {
  return ask('POST', consumePath, { userId: player, productId: 'COINS', trackingId, quantity });
}

function coinsAtStore({ stack, player }: Tour): number | undefined {
  const users = stack.store.control.state().users;
  return users.find(({ user }) => user === player)?.balances.RETAIL?.COINS;
}
