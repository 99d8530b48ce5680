/** Steps about queries: whole answers, faults of the Store, Game Pass. */
import { type Json, type Step, step, type Tour } from './step.ts';

interface Owned {
  status: number;
  items: string[];
}

export async function askWhatIsOwned({ ask, player }: Pick<Tour, 'ask' | 'player'>): Promise<Owned> {
  const { status, body } = await ask('POST', '/api/entitlements/query', {
    userId: player,
    products: ['SWORD', 'SHIELD'],
  });
  return { status, items: body.items.map((item: Json) => `${item.productId} ${item.status}`) };
}

export function querySteps({ stack, signal, ask, player }: Tour): Step[] {
  const store = stack.store.control;
  return [
    step({
      title: 'The Store fails three times in a row; the query waits it out.',
      run: () => {
        store.addFault({ operation: 'publisherQuery', status: 500, times: 3 });
        return askWhatIsOwned({ ask, player });
      },
      expected: { status: 200, items: ['SWORD Active'] },
      words: ({ status, items }) => `${status}, owned: ${items.join(', ')}`,
    }),
    step({
      title: 'The Store limits the rate for two minutes: that is passed on, not waited for.',
      run: async () => {
        store.addFault({ operation: 'publisherQuery', status: 429, headers: { 'retry-after': '120' } });
        const query = { userId: player, products: ['SWORD', 'SHIELD'] };
        const { status, body } = await ask('POST', '/api/entitlements/query', query);
        return { status, code: body.code, retryAfterSeconds: body.retryAfterSeconds };
      },
      expected: { status: 429, code: 'store_throttled', retryAfterSeconds: 120 },
      words: ({ status, code, retryAfterSeconds }) => `${status} ${code}, ask again after ${retryAfterSeconds} s`,
    }),
    step({
      title: 'Twenty of the same query at once are one call to the Store.',
      run: async () => {
        const before = stack.store.requests.length;
        // So long that all twenty arrive while the first is under way, on a busy machine too.
        store.addFault({ operation: 'publisherQuery', latencyMs: 2000 });
        const body = JSON.stringify({ userId: player, products: ['SWORD'] });
        const headers = { 'x-functions-key': stack.identities.functionKey };
        const queries = Array.from({ length: 20 }, () =>
          fetch(`${stack.functionsUrl}/api/entitlements/query`, { method: 'POST', headers, body, signal }),
        );
        const answers = await Promise.all(queries);
        const good = answers.filter(({ status }) => status === 200).length;
        return { good, calls: stack.store.requests.length - before };
      },
      expected: { good: 20, calls: 1 },
      words: ({ good, calls }) => `${good} times 200, ${calls} call to the Store`,
    }),
  ];
}

export function gamePassSteps({ stack, ask, player }: Tour): Step[] {
  return [
    step({
      title: 'The player subscribes to Game Pass Ultimate, which includes lower tiers.',
      run: async () => {
        stack.store.control.putGamePass(player, { tiers: ['Ultimate'] });
        const query = { userId: player, tiers: ['PC', 'Ultimate', 'Starter'] };
        const { status, body } = await ask('POST', '/api/game-pass/query', query);
        return { status, subscribed: body.subscribed, tiers: body.tiers.map(({ tier }: Json) => tier) };
      },
      expected: { status: 200, subscribed: true, tiers: ['PC', 'Ultimate'] },
      words: ({ status, subscribed, tiers }) =>
        `${status} ${subscribed ? 'subscribed' : 'not subscribed'}: ${tiers.join(', ')}`,
    }),
  ];
}
