import { TableClient } from '@azure/data-tables';
import { expect } from 'vitest';
import { api, stack } from '../e2e/harness.ts';
import { type Fulfilment, recordOf } from './scenarios.ts';

interface Event {
  type: string;
  subject: string;
  data: unknown;
}

interface Line {
  userId: string;
  orderId: string;
  quantity: number;
}

/** What must be true in the end, whatever failed before: each is fulfilled once, with its lines and so many events. */
export async function expectFulfilledOnce(made: (Fulfilment & { events: number })[]): Promise<void> {
  const records = await Promise.all(made.map(recordOf));
  const store = stack.store.control.state();
  const lines = await allLines();
  const events = await allEvents();
  for (const [index, one] of made.entries()) {
    const { scenario, user } = one;
    const record = records[index] ?? expect.fail();
    expect(record.body?.state, `${user}: ${record.text}`).toBe('completed');

    const owner = store.users.find(({ user: name }) => name === user);
    expect(owner?.balances.RETAIL?.[scenario.productId] ?? 0, user).toBe(scenario.balance);
    const gifts = store.orders.filter((order) => order.user === user && order.lines[0]?.productId === 'GIFT');
    expect(gifts.length, user).toBe(scenario.operation === 'grant' ? 1 : 0);

    const claimed = lines.filter(({ userId }) => userId === user);
    expect(claimed.map(({ quantity }) => quantity).sort(), user).toEqual(scenario.lines);
    if (scenario.operation === 'consume') {
      expect(record.body.orders.map(orderAndQuantity).sort(), user).toEqual(claimed.map(orderAndQuantity).sort());
      expect(record.body.newQuantity, user).toBe(scenario.balance);
    }

    const published = events.filter(({ subject }) => subject === user);
    expect(
      published.map(({ type }) => type),
      user,
    ).toEqual(Array(one.events).fill(scenario.eventType));
    for (const { data } of published) expect(data).toEqual(record.body);
  }
}

const orderAndQuantity = ({ orderId, quantity }: { orderId: string; quantity: number }): string =>
  `${orderId} ${quantity}`;

async function allEvents(): Promise<Event[]> {
  const { body } = await api('GET', '/api/events?limit=500');
  expect(body.more).toBe(false);
  return body.events;
}

async function allLines(): Promise<Line[]> {
  const table = TableClient.fromConnectionString(stack.azurite.connectionString, 'OrderLines', {
    allowInsecureConnection: true,
  });
  await table.createTable();
  const lines: Line[] = [];
  for await (const line of table.listEntities<Line>()) lines.push(line);
  return lines;
}
