/** The fulfilments that the fault tests break at every step, and how time passes for the functions. */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Answer, api, keysOf, stack, storeIdsPath } from '../e2e/harness.ts';
import { startTableProxy, type TableProxy } from '../support/tableProxy.ts';

export { recover, runs } from '../e2e/harness.ts';

export let proxy: TableProxy;
let offsetMs = 0;
const aheadOf = new Map<ChildProcess, number>();

/** Puts the proxy before the tables, and lets the tests move the functions' clock. To be called after `useStack`. */
export function useProxy(): void {
  beforeAll(async () => {
    proxy = await startTableProxy(stack.azurite.connectionString);
    stack.entra.setTokenLifetime(7 * 24 * 3600);
    Object.assign(stack.settings, {
      TABLES_CONNECTION_STRING: proxy.connectionString,
      NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'shiftedClock.js'))}`,
      CLOCK_OFFSET_MS: '0',
    });
    await stack.restartHost();
  });
  afterAll(() => proxy.close());
}

/** Moves the functions' clock. */
export async function later(ms: number): Promise<void> {
  offsetMs += ms;
  stack.settings.CLOCK_OFFSET_MS = String(offsetMs);
  await Promise.all(
    [stack.host().child, ...aheadOf.keys()].map((child) => moveClock(child, offsetMs + (aheadOf.get(child) ?? 0))),
  );
}

/** Other processes of the functions, whose clocks are ahead of that of the stack's by so much, move with it. */
export function movesToo(child: ChildProcess, aheadMs: number): void {
  aheadOf.set(child, aheadMs);
}

async function moveClock(child: ChildProcess, clockOffsetMs: number): Promise<void> {
  const moved = once(child, 'message');
  child.send({ clockOffsetMs });
  await moved;
}

/** Kills the functions and starts them again, so much later. */
export async function restartLater(ms: number): Promise<void> {
  offsetMs += ms;
  stack.settings.CLOCK_OFFSET_MS = String(offsetMs);
  await stack.restartHost('SIGKILL');
}

export interface Scenario {
  name: string;
  /** What the Store sells to the user before. */
  prepare(user: string): void;
  request(user: string): { id: string; body: object };
  route: string;
  /** Store operation that does it. */
  operation: 'consume' | 'grant';
  /** Its product, and what is left of it in the end. */
  productId: string;
  balance: number;
  /** The quantities of the order lines that are claimed. */
  lines: number[];
  eventType: string;
  /** Table requests without a fault; a fault may cost one more. */
  requests: number;
}

interface ConsumeScenario {
  /** The quantity of each order of the user. */
  sold: number[];
  quantity: number;
  balance: number;
  lines: number[];
  developer?: boolean;
}

function consume(name: string, { sold, quantity, balance, lines, developer = false }: ConsumeScenario): Scenario {
  const productId = developer ? 'GEMS' : 'COINS';
  return {
    name,
    route: '/api/consumables/consume',
    operation: 'consume',
    productId,
    balance,
    lines,
    eventType: 'consume.completed',
    // The ids of a developer-managed consume are on disk before anything is done with them.
    requests: (developer ? 4 : 3) + lines.length,
    prepare(user) {
      stack.store.control.putProduct(productId, { kind: developer ? 'UnmanagedConsumable' : 'Consumable' });
      for (const units of sold) stack.store.control.purchase({ user, productId, quantity: units });
    },
    request(user) {
      const id = randomUUID();
      const amount = developer ? { managedBy: 'developer' } : { quantity };
      return { id, body: { userId: user, productId, trackingId: id, ...amount } };
    },
  };
}

const gift: Scenario = {
  name: 'a free gift',
  route: '/api/grants',
  operation: 'grant',
  productId: 'GIFT',
  balance: 0,
  lines: [],
  eventType: 'grant.completed',
  requests: 3,
  prepare() {
    stack.store.control.putProduct('GIFT', { kind: 'Durable', price: 0 });
  },
  request(user) {
    const orderId = randomUUID();
    const body = { userId: user, productId: 'GIFT', skuId: '0010', availabilityId: 'GIFT-A1', orderId };
    return { id: orderId, body };
  },
};

export const coin = consume('one of three coins', { sold: [3], quantity: 1, balance: 2, lines: [1] });
export const coins = consume('seven coins over three orders', {
  sold: [3, 3, 3],
  quantity: 7,
  balance: 2,
  lines: [1, 3, 3],
});
export const gem = consume('a developer-managed gem', {
  sold: [1],
  quantity: 1,
  balance: 0,
  lines: [1],
  developer: true,
});
export const scenarios = [coin, coins, gem, gift];

/** One request of one user. */
export interface Fulfilment {
  scenario: Scenario;
  user: string;
  id: string;
  body: object;
}

/** A user with keys and purchases, written without the proxy's faults, and the user's request. */
export async function player(scenario: Scenario, user: string): Promise<Fulfilment> {
  proxy.decideAll(() => ({ does: 'pass' }));
  const answer = await api('PUT', storeIdsPath(user), keysOf(user));
  expect(answer.status, answer.text).toBe(200);
  scenario.prepare(user);
  return { scenario, user, ...scenario.request(user) };
}

/** The number of each table request of a scenario, and of one more, which must not come. */
export const stepsOf = ({ requests }: Scenario): number[] =>
  Array.from({ length: requests + 1 }, (_, index) => index + 1);

export const submit = ({ scenario, body }: Fulfilment): Promise<Answer> => api('POST', scenario.route, body);
export const recordOf = ({ scenario, user, id }: Fulfilment): Promise<Answer> =>
  api('GET', `${scenario.route}/${encodeURIComponent(user)}/${id}`);
