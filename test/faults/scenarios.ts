/** The ways to fulfil that the fault tests break at every step, and what each has to end in. */

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { odata, TableClient } from '@azure/data-tables';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Answer, api, fireRecovery, keysOf, logText, stack, storeIdsPath } from '../e2e/harness.ts';
import { startTableProxy, type TableProxy } from '../support/tableProxy.ts';

export let proxy: TableProxy;
let offsetMs = 0;

/** Puts the proxy before the tables, and the functions' clock into the tests' hands. To be called after `useStack`. */
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

/** Lets so much time pass for the functions. */
export async function later(ms: number): Promise<void> {
  offsetMs += ms;
  stack.settings.CLOCK_OFFSET_MS = String(offsetMs);
  const { child } = stack.host();
  const moved = once(child, 'message');
  child.send({ clockOffsetMs: offsetMs });
  await moved;
}

/** Starts the functions anew, so much later. */
export async function restartLater(ms: number): Promise<void> {
  offsetMs += ms;
  stack.settings.CLOCK_OFFSET_MS = String(offsetMs);
  await stack.restartHost('SIGKILL');
}

/** Runs the recovery timer and waits until it has been through. */
export async function recover(): Promise<void> {
  const before = runs();
  await fireRecovery();
  await expect.poll(runs, { timeout: 60_000, interval: 50 }).toBeGreaterThan(before);
}

/** How often the recovery has been through so far. */
export const runs = (): number => logText().match(/"event":"run(Failed)?"/g)?.length ?? 0;

export interface Scenario {
  name: string;
  /** What the Store sells to the user before. */
  prepare(user: string): void;
  body(user: string): { userId: string; id: string; body: object };
  route: string;
  /** Store operation that does it. */
  operation: 'consume' | 'grant';
  /** What is gone from the balance, or come to it, and the order lines that are claimed. */
  expected: { balance: number; lines: number[] };
  eventType: string;
  /** Table requests of the straight path; a fault may cost one more. */
  requests: number;
}

const consume = (
  name: string,
  sold: number[],
  quantity: number,
  left: number,
  lines: number[],
  developer = false,
): Scenario => ({
  name,
  route: '/api/consumables/consume',
  operation: 'consume',
  eventType: 'consume.completed',
  requests: 3 + lines.length,
  expected: { balance: left, lines },
  prepare(user) {
    const productId = developer ? 'GEMS' : 'COINS';
    stack.store.control.putProduct(productId, { kind: developer ? 'UnmanagedConsumable' : 'Consumable' });
    for (const units of sold) stack.store.control.purchase({ user, productId, quantity: units });
  },
  body(user) {
    const id = randomUUID();
    const request = { userId: user, productId: developer ? 'GEMS' : 'COINS', trackingId: id };
    return { userId: user, id, body: { ...request, ...(developer ? { managedBy: 'developer' } : { quantity }) } };
  },
});

export const scenarios: Scenario[] = [
  consume('one of three coins', [3], 1, 2, [1]),
  consume('seven coins over three orders', [3, 3, 3], 7, 2, [1, 3, 3]),
  consume('a developer-managed gem', [1], 1, 0, [1], true),
  {
    name: 'a free gift',
    route: '/api/grants',
    operation: 'grant',
    eventType: 'grant.completed',
    requests: 3,
    expected: { balance: 0, lines: [] },
    prepare: () => {
      stack.store.control.putProduct('GIFT', { kind: 'Durable', price: 0 });
    },
    body(user) {
      const orderId = randomUUID();
      return {
        userId: user,
        id: orderId,
        body: { userId: user, productId: 'GIFT', skuId: '0010', availabilityId: 'GIFT-A1', orderId },
      };
    },
  },
];

/** A player with keys and purchases, written without the proxy's faults. */
export async function player(scenario: Scenario, user: string): Promise<{ userId: string; id: string; body: object }> {
  proxy.decideAll(() => ({ does: 'pass' }));
  const answer = await api('PUT', storeIdsPath(user), keysOf(user));
  expect(answer.status, answer.text).toBe(200);
  scenario.prepare(user);
  return scenario.body(user);
}

/** The number of each table request of a scenario, and of one more, which must not come. */
export const stepsOf = ({ requests }: Scenario): number[] => Array.from({ length: requests + 1 }, (_, at) => at + 1);

export const submit = (scenario: Scenario, body: object): Promise<Answer> => api('POST', scenario.route, body);
export const recordOf = (scenario: Scenario, userId: string, id: string): Promise<Answer> =>
  api('GET', `${scenario.route}/${encodeURIComponent(userId)}/${id}`);

export async function eventsOf(user: string): Promise<{ type: string; data: unknown }[]> {
  const found: { type: string; data: unknown; subject: string }[] = (await api('GET', '/api/events?limit=500')).body
    .events;
  return found.filter(({ subject }) => subject === user);
}

/** What must be true in the end, whatever was broken on the way: one fulfilment, its lines, at most one event. */
export async function expectFulfilledOnce(scenario: Scenario, user: string, id: string, events: number): Promise<void> {
  const record = await recordOf(scenario, user, id);
  expect(record.body?.state, `${scenario.name} of ${user}: ${record.text}`).toBe('completed');
  const account = stack.store.control.state();
  const productId = scenario.operation === 'grant' ? 'GIFT' : record.body.productId;
  const owner = account.users.find(({ user: name }) => name === user);
  expect(owner?.balances.RETAIL?.[productId] ?? 0).toBe(scenario.expected.balance);
  const orders = account.orders.filter(
    (order) => order.user === user && order.lines.some((line) => line.productId === 'GIFT'),
  );
  expect(orders.length).toBe(scenario.operation === 'grant' ? 1 : 0);
  const claimed = (await linesOf(user)).map(({ orderId, quantity }) => `${orderId} ${quantity}`).sort();
  expect(claimed.map((line) => Number(line.split(' ')[1])).sort()).toEqual(scenario.expected.lines);
  if (scenario.operation === 'consume') {
    expect(
      record.body.orders.map(({ orderId, quantity }: Record<string, unknown>) => `${orderId} ${quantity}`).sort(),
    ).toEqual(claimed);
    expect(record.body.newQuantity).toBe(scenario.expected.balance);
  }
  const told = await eventsOf(user);
  expect(
    told.map(({ type }) => type),
    user,
  ).toEqual(Array(events).fill(scenario.eventType));
  for (const { data } of told) expect(data).toEqual(record.body);
}

async function linesOf(user: string): Promise<Record<string, unknown>[]> {
  const table = TableClient.fromConnectionString(stack.azurite.connectionString, 'OrderLines', {
    allowInsecureConnection: true,
  });
  await table.createTable();
  const rows: Record<string, unknown>[] = [];
  for await (const row of table.listEntities({ queryOptions: { filter: odata`userId eq ${user}` } })) rows.push(row);
  return rows;
}
