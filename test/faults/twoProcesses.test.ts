/** Two processes of the functions on one account of tables, with clocks 90 s apart, work on the same ids. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HostProcess, startHostProcess } from '../../local/hostProcess.ts';
import { type Answer, api, apiAt, fireRecovery, stack, useStack } from '../e2e/harness.ts';
import { expectFulfilledOnce } from './fulfilledOnce.ts';
import { type Fulfilment, gem, later, movesToo, player, runs, scenarios, submit, useProxy } from './scenarios.ts';

useStack();
useProxy();

const aheadMs = 90_000;
let early: HostProcess;
beforeAll(async () => {
  early = await startHostProcess({ ...stack.settings, FUNCTIONS_PORT: '0', CLOCK_OFFSET_MS: String(aheadMs) });
  movesToo(early.child, aheadMs);
});
afterAll(() => early.stop());

const earlyUrl = () => `http://localhost:${early.port}`;
const submitEarly = ({ scenario, body }: Fulfilment): Promise<Answer> =>
  apiAt(earlyUrl(), 'POST', scenario.route, body);
const fireEarlyRecovery = async (): Promise<void> => {
  const headers = { 'x-functions-key': stack.identities.masterKey, 'content-type': 'application/json' };
  const answer = await fetch(`${earlyUrl()}/admin/functions/consumeRecovery`, {
    method: 'POST',
    body: '{}',
    headers,
  });
  expect(answer.status).toBe(202);
};

/** Sends each request to both processes, twice, in turns. Returns who was answered "pending". */
async function race(made: Fulfilment[]): Promise<Set<string>> {
  const answers = await Promise.all(
    made.flatMap((one, index) => {
      const turns = index % 2 === 0 ? [submit, submitEarly] : [submitEarly, submit];
      return [...turns, ...turns].map(async (send) => ({ id: one.id, answer: await send(one) }));
    }),
  );
  for (const { answer } of answers) expect([200, 201, 202], answer.text).toContain(answer.status);
  return new Set(answers.filter(({ answer }) => answer.status === 202).map(({ id }) => id));
}

async function settleAll(): Promise<void> {
  stack.store.control.clearFaults();
  await later(2 * 60_000);
  for (let round = 0; round < 4; round += 1) {
    const before = runs();
    await Promise.all([fireEarlyRecovery(), fireRecovery()]);
    await expect.poll(runs).toBe(before + 2);
    await later(16 * 60_000);
  }
}

/** How many events each fulfilment has: one if a caller was answered "pending", at most one else. */
async function eventCounts(made: Fulfilment[], told: Set<string>): Promise<number[]> {
  const { events } = (await api('GET', '/api/events?limit=500')).body;
  return made.map(({ id, user }) => {
    const own = events.filter(
      ({ data }: { data: { userId: string; trackingId?: string; orderId?: string } }) =>
        data.userId === user && (data.trackingId ?? data.orderId) === id,
    );
    expect(own.length, user).toBeLessThanOrEqual(1);
    if (told.has(id)) expect(own.length, user).toBe(1);
    return own.length;
  });
}

test('each is fulfilled once, whichever process is first', async () => {
  const made = await Promise.all(
    scenarios.flatMap((scenario) =>
      [0, 1, 2].map((index) => player(scenario, `${scenario.name}, two processes, ${index}`)),
    ),
  );
  // Some answers are slow, some are lost.
  for (const operation of ['consume', 'grant'] as const) {
    stack.store.control.addFault({ operation, dropResponse: true, times: 4, skip: 2 });
    stack.store.control.addFault({ operation, answerLatencyMs: 300, times: 4 });
  }
  const told = await race(made);
  await settleAll();
  const counts = await eventCounts(made, told);
  await expectFulfilledOnce(made.map((one, index) => ({ ...one, events: counts[index] ?? 0 })));
});

test('several gems of one player, all answers lost: each consume has an order of its own', async () => {
  const user = 'gems of two processes';
  await player(gem, user);
  for (let more = 0; more < 3; more += 1) gem.prepare(user);
  const made = Array.from({ length: 4 }, () => ({ scenario: gem, user, ...gem.request(user) }));
  stack.store.control.addFault({ operation: 'consume', dropResponse: true, times: 12 });
  const told = await race(made);
  await settleAll();
  await eventCounts(made, told);
  const records = await Promise.all(made.map((one) => submit(one)));
  expect(records.map(({ body }) => body.state)).toEqual(made.map(() => 'completed'));
  const orders = records.map(({ body }) => body.orders.map(({ orderId }: { orderId: string }) => orderId));
  expect(orders.map(({ length }) => length)).toEqual(made.map(() => 1));
  expect(new Set(orders.flat()).size).toBe(made.length);
});
