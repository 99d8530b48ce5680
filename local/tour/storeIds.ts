/** Steps about the player's keys: registered, renewed, deleted. */
import { askWhatIsOwned } from './queries.ts';
import { type Json, type Step, step, type Tour } from './step.ts';

const day = 24 * 3600_000;

export function registrationSteps(tour: Tour): Step[] {
  return [...preparationSteps(tour), ...keySteps(tour)];
}

/** Until the player has bought something and the game client can make keys. */
function preparationSteps({ stack, ask, player }: Tour): Step[] {
  const store = stack.store.control;
  return [
    step({
      title: 'The service is healthy: tables, Key Vault and its identity at Entra can be reached.',
      run: async () => {
        const { status, body } = await ask('GET', '/api/health');
        return { status, health: body.status };
      },
      expected: { status: 200, health: 'ok' },
      words: ({ status, health }) => `${status} ${health}`,
    }),
    step({
      title:
        'The game client gets the two tokens with which it makes the player\u2019s keys (the tokens are not shown here).',
      run: async () => {
        const { status, body } = await ask('GET', '/api/service-tickets');
        return { status, tokens: Object.keys(body) };
      },
      expected: { status: 200, tokens: ['collections', 'purchase'] },
      words: ({ status, tokens }) => `${status}, a token for ${tokens.join(' and one for ')}`,
    }),
    step({
      title: 'The player buys a sword in the Microsoft Store.',
      run: () => {
        store.putProduct('SWORD', { kind: 'Durable' });
        store.putProduct('SHIELD', { kind: 'Durable' });
        const { lines } = store.purchase({ user: player, productId: 'SWORD' });
        return lines.map(({ productId }) => productId);
      },
      expected: ['SWORD'],
      words: (bought) => `the Store has an order of ${bought.join(', ')}`,
    }),
  ];
}

function keySteps({ stack, ask, player }: Tour): Step[] {
  const store = stack.store.control;
  return [
    step({
      title: 'The game backend registers the player\u2019s keys; they are encrypted at rest and never shown again.',
      run: async () => {
        const { status, body } = await ask('PUT', keysPath(player), store.createKeys({ user: player }));
        const { account, collections, purchase } = body;
        return { status, account, collections: collections.state, purchase: purchase.state };
      },
      expected: { status: 200, account: 'default', collections: 'fresh', purchase: 'fresh' },
      words: ({ status, account, collections, purchase }) =>
        `${status}, account ${account}: collections key ${collections}, purchase key ${purchase}`,
    }),
    step({
      title: 'It asks what the player owns.',
      run: () => askWhatIsOwned({ ask, player }),
      expected: { status: 200, items: ['SWORD Active'] },
      words: ({ status, items }) => `${status}, owned: ${items.join(', ')}`,
    }),
    step({
      title: 'Someone sends a key that is none.',
      run: async () => {
        const { status, body } = await ask('PUT', keysPath(player), { collectionsId: 'not a key' });
        return { status, code: body.code };
      },
      expected: { status: 422, code: 'invalid_store_id' },
      words: ({ status, code }) => `${status} ${code}`,
    }),
  ];
}

export function renewalSteps({ stack, ask, player }: Tour): Step[] {
  const store = stack.store.control;
  const renewals = () => stack.store.requests.filter(({ operation }) => operation === 'renew').length;
  return [
    step({
      title: 'On a second account the player\u2019s key is 20 days old, and due for renewal.',
      run: async () => {
        const issuedAt = new Date(Date.now() - 20 * day).toISOString();
        const keys = store.createKeys({ user: player, issuedAt, kinds: ['collections'] });
        const { status, body } = await ask('PUT', keysPath(player), { account: 'second', ...keys });
        return { status, state: body.collections.state };
      },
      expected: { status: 200, state: 'due' },
      words: ({ status, state }) => `${status}, collections key ${state}`,
    }),
    step({
      title: 'The next query renews it on the way, once.',
      run: async () => {
        const query = { userId: player, account: 'second', products: ['SWORD'] };
        const owned = await ask('POST', '/api/entitlements/query', query);
        const { body } = await ask('GET', keysPath(player));
        return {
          status: owned.status,
          items: owned.body.items.length,
          keys: body.accounts.map(({ account, collections }: Json) => `${account} ${collections.state}`),
          renewals: renewals(),
        };
      },
      expected: { status: 200, items: 1, keys: ['default fresh', 'second fresh'], renewals: 1 },
      words: ({ status, items, keys, renewals: count }) =>
        `${status}, ${items} item; collections keys: ${keys.join(', ')}; the Store renewed ${count}`,
    }),
  ];
}

export function farewellSteps({ ask, player }: Tour): Step[] {
  return [
    step({
      title: 'The player leaves: every key of theirs is deleted.',
      run: async () => {
        const deleted = await ask('DELETE', keysPath(player));
        const { status, body } = await ask('POST', '/api/entitlements/query', { userId: player, products: ['SWORD'] });
        return { deleted: deleted.status, status, code: body.code };
      },
      expected: { deleted: 204, status: 404, code: 'unknown_user' },
      words: ({ deleted, status, code }) => `${deleted}, and the next query ${status} ${code}`,
    }),
  ];
}

function keysPath(player: string): string {
  return `/api/users/${player}/store-ids`;
}
