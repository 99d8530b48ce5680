import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { scrub } from '../src/shared/lib/log.ts';
import type { Stack } from './stack.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever the service answered; each step checks what it uses.
type Json = any;

interface Step {
  title: string;
  run: () => Promise<Json> | Json;
  /** What is shown of the outcome, and must be exactly this. */
  shows: (outcome: Json) => Json;
  expected: Json;
}

const player = 'player-1';
const day = 24 * 3600_000;
const longestText = 110;

/** Runs the steps against a running stack and prints each with what came back. @throws Error at the first that is not right */
export async function tour(stack: Stack, signal: AbortSignal): Promise<{ steps: number }> {
  const steps = stepsOf(stack, signal);
  for (const [at, { title, run, shows, expected }] of steps.entries()) {
    signal.throwIfAborted();
    console.log(`\n${at + 1}. ${title}`);
    const shown = shows(await run());
    console.log(`   ${JSON.stringify(shown)}`);
    if (!isDeepStrictEqual(shown, expected))
      throw new Error(`This step should have shown ${JSON.stringify(expected)}.`);
  }
  return { steps: steps.length };
}

function stepsOf(stack: Stack, signal: AbortSignal): Step[] {
  const store = stack.store.control;
  const ask = async (method: string, path: string, body?: Json): Promise<{ status: number; body: Json }> => {
    const sent = body === undefined ? '' : ` ${scrub(JSON.stringify(body))}`;
    console.log(`   ${method} ${path}${sent.length > longestText ? `${sent.slice(0, longestText)}...` : sent}`);
    const answer = await fetch(`${stack.functionsUrl}${path}`, {
      method,
      signal,
      headers: { 'x-functions-key': stack.identities.functionKey },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
  };
  const status = ({ status: answered }: { status: number }) => answered;
  const keysPath = `/api/users/${player}/store-ids`;
  const owns = () => ask('POST', '/api/entitlements/query', { userId: player, products: ['SWORD', 'SHIELD'] });
  const owned = ({ body }: Json) => body.items.map(({ productId, status: state }: Json) => `${productId} ${state}`);
  const [first, second] = [randomUUID(), randomUUID()];
  const coinsOf = (trackingId: string) => ({ userId: player, productId: 'COINS', trackingId });
  const spend = (trackingId: string) =>
    ask('POST', '/api/consumables/consume', { ...coinsOf(trackingId), quantity: 30 });
  const coins = () => store.state().users.find(({ user }) => user === player)?.balances.RETAIL?.COINS;
  const renewals = () => stack.store.requests.filter(({ operation }) => operation === 'renew').length;

  return [
    {
      title: 'The service is healthy: tables, Key Vault and its identity at Entra can be reached.',
      run: () => ask('GET', '/api/health'),
      shows: ({ body }) => body.status,
      expected: 'ok',
    },
    {
      title:
        'The game client gets the two tokens with which it makes the player\u2019s keys (the tokens are not shown here).',
      run: () => ask('GET', '/api/service-tickets'),
      shows: ({ body }) => Object.keys(body),
      expected: ['collections', 'purchase'],
    },
    {
      title: 'The player buys a sword in the Microsoft Store.',
      run: () => {
        store.putProduct('SWORD', { kind: 'Durable' });
        store.putProduct('SHIELD', { kind: 'Durable' });
        return store.purchase({ user: player, productId: 'SWORD' });
      },
      shows: (order) => order.lines.map(({ productId }: Json) => productId),
      expected: ['SWORD'],
    },
    {
      title: 'The game backend registers the player\u2019s keys; they are encrypted at rest and never shown again.',
      run: () => ask('PUT', keysPath, store.createKeys({ user: player })),
      shows: ({ body }) => [body.account, body.collections.state, body.purchase.state],
      expected: ['default', 'fresh', 'fresh'],
    },
    {
      title: 'It asks what the player owns.',
      run: owns,
      shows: owned,
      expected: ['SWORD Active'],
    },
    {
      title: 'Someone sends a key that is none.',
      run: () => ask('PUT', keysPath, { collectionsId: 'not a key' }),
      shows: ({ status: answered, body }) => [answered, body.code],
      expected: [422, 'invalid_store_id'],
    },
    {
      title: 'The Store fails three times in a row; the query waits it out.',
      run: () => {
        store.addFault({ operation: 'publisherQuery', status: 500, times: 3 });
        return owns();
      },
      shows: owned,
      expected: ['SWORD Active'],
    },
    {
      title: 'The Store limits the rate for two minutes: that is passed on, not waited for.',
      run: () => {
        store.addFault({ operation: 'publisherQuery', status: 429, headers: { 'retry-after': '120' } });
        return owns();
      },
      shows: ({ status: answered, body }) => [answered, body.code, body.retryAfterSeconds],
      expected: [429, 'store_throttled', 120],
    },
    {
      title: 'Twenty of the same query at once are one call to the Store.',
      run: async () => {
        const before = stack.store.requests.length;
        store.addFault({ operation: 'publisherQuery', latencyMs: 300 });
        const body = JSON.stringify({ userId: player, products: ['SWORD'] });
        const headers = { 'x-functions-key': stack.identities.functionKey };
        const queries = Array.from({ length: 20 }, () =>
          fetch(`${stack.functionsUrl}/api/entitlements/query`, { method: 'POST', headers, body, signal }),
        );
        const answers = await Promise.all(queries);
        return { statuses: [...new Set(answers.map(status))], calls: stack.store.requests.length - before };
      },
      shows: (outcome) => outcome,
      expected: { statuses: [200], calls: 1 },
    },
    {
      title: 'The player subscribes to Game Pass Ultimate, which includes lower tiers.',
      run: () => {
        store.putGamePass(player, { tiers: ['Ultimate'] });
        return ask('POST', '/api/game-pass/query', { userId: player, tiers: ['PC', 'Ultimate', 'Starter'] });
      },
      shows: ({ body }) => [body.subscribed, ...body.tiers.map(({ tier }: Json) => tier)],
      expected: [true, 'PC', 'Ultimate'],
    },
    {
      title: 'On a second account the player\u2019s key is 20 days old, and due for renewal.',
      run: () => {
        const issuedAt = new Date(Date.now() - 20 * day).toISOString();
        return ask('PUT', keysPath, {
          account: 'second',
          ...store.createKeys({ user: player, issuedAt, kinds: ['collections'] }),
        });
      },
      shows: ({ body }) => body.collections.state,
      expected: 'due',
    },
    {
      title: 'The next query renews it on the way, once.',
      run: async () => {
        const answer = await ask('POST', '/api/entitlements/query', {
          userId: player,
          account: 'second',
          products: ['SWORD'],
        });
        const { body } = await ask('GET', keysPath);
        return {
          items: answer.body.items.length,
          states: body.accounts.map(({ collections }: Json) => collections.state),
          renewals: renewals(),
        };
      },
      shows: (outcome) => outcome,
      expected: { items: 1, states: ['fresh', 'fresh'], renewals: 1 },
    },
    {
      title: 'The player buys a pack of 100 coins, and spends 30 of them.',
      run: () => {
        store.putProduct('COINS', { kind: 'Consumable', unitsPerPurchase: 100 });
        store.purchase({ user: player, productId: 'COINS' });
        return spend(first);
      },
      shows: ({ status: answered, body }) => [answered, body.state, body.newQuantity, body.orders[0].quantity],
      expected: [200, 'completed', 70, 30],
    },
    {
      title: 'The same request again, as after a lost answer: the same outcome, and nothing consumed twice.',
      run: () => spend(first),
      shows: ({ status: answered, body }) => [answered, body.state, body.newQuantity, body.replayed, coins()],
      expected: [200, 'completed', 70, true, 70],
    },
    {
      title: 'The Store consumes 30 more, but its answers are lost: pending, and kept until it is known.',
      run: () => {
        store.addFault({ operation: 'consume', dropResponse: true, times: 2 });
        return spend(second);
      },
      shows: ({ status: answered, body }) => [answered, body.state, coins()],
      expected: [202, 'pending', 40],
    },
    {
      title: 'Asked again (the recovery timer would do so after a minute), the Store says what it did.',
      run: () => spend(second),
      shows: ({ status: answered, body }) => [answered, body.state, body.newQuantity, coins()],
      expected: [200, 'completed', 40, 40],
    },
    {
      title: 'Since the backend was told \u201cpending\u201d, there is an event for it, until it is acknowledged.',
      run: async () => {
        const { body } = await ask('GET', '/api/events');
        const acknowledged = await ask('POST', '/api/events/ack', { ids: body.events.map(({ id }: Json) => id) });
        return [
          ...body.events.map(({ type, data }: Json) => [type, data.trackingId === second]),
          acknowledged.body.acknowledged,
          (await ask('GET', '/api/events')).body.events.length,
        ];
      },
      shows: (outcome) => outcome,
      expected: [['consume.completed', true], 1, 0],
    },
    {
      title: 'More than the player has left is refused for good.',
      run: () => ask('POST', '/api/consumables/consume', { ...coinsOf(randomUUID()), quantity: 41 }),
      shows: ({ status: answered, body }) => [answered, body.code],
      expected: [409, 'insufficient_quantity'],
    },
    {
      title: 'A free gift is granted once, however often it is asked for.',
      run: async () => {
        store.putProduct('GIFT', { kind: 'Durable', price: 0 });
        const gift = {
          userId: player,
          productId: 'GIFT',
          skuId: '0010',
          availabilityId: 'GIFT-A1',
          orderId: randomUUID(),
        };
        return [(await ask('POST', '/api/grants', gift)).status, (await ask('POST', '/api/grants', gift)).status];
      },
      shows: (outcome) => outcome,
      expected: [201, 200],
    },
    {
      title: 'The player leaves: every key of theirs is deleted.',
      run: async () => [(await ask('DELETE', keysPath)).status, (await owns()).body.code],
      shows: (outcome) => outcome,
      expected: [204, 'unknown_user'],
    },
  ];
}
