import { isDeepStrictEqual } from 'node:util';
import { scrub } from '../src/shared/log.ts';
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
      title: 'The player leaves: every key of theirs is deleted.',
      run: async () => [(await ask('DELETE', keysPath)).status, (await owns()).body.code],
      shows: (outcome) => outcome,
      expected: [204, 'unknown_user'],
    },
  ];
}
