import { expect, test } from 'vitest';
import { logText, stack, useStack } from '../e2e/harness.ts';
import { expectFulfilledOnce } from './fulfilledOnce.ts';
import { coin, gem, later, player, recordOf, recover, scenarios, submit, useProxy } from './scenarios.ts';

useStack();
useProxy();

const faults = [
  ['dropped after it acted, twice', { dropResponse: true, times: 2 }],
  ['dropped before it acted, twice', { dropRequest: true, times: 2 }],
  ['cut in half after it acted, twice', { truncateBody: true, times: 2 }],
  ['500 after it acted, twice', { actThenStatus: true, times: 2 }],
  ['429', { status: 429, headers: { 'retry-after': '60' } }],
  ['429 after it acted', { status: 429, actThenStatus: true }],
  ['401 after it acted, for every attempt', { status: 401, actThenStatus: true, times: 3 }],
  ['HTML after it acted', { status: 404, body: '<html>', contentType: 'text/html', actThenStatus: true }],
] as const;
const late = 'late, after it acted, twice';
/** An attempt waits 10 s. */
const lateMs = 11_000;

test('the Store\u2019s answer is broken in every way: pending, then settled by the recovery, once and with one event', async () => {
  const made = await Promise.all(
    scenarios.flatMap((scenario) =>
      [...faults.map(([says]) => says), late].map(async (says) => {
        return { says, ...(await player(scenario, `${scenario.name}: ${says}`)) };
      }),
    ),
  );
  for (const one of made) {
    const fault = faults.find(([says]) => says === one.says)?.[1];
    if (!fault) continue;
    stack.store.control.addFault({ operation: one.scenario.operation, ...fault });
    const answer = await submit(one);
    expect(answer.status, `${one.user}: ${answer.text}`).toBe(202);
  }
  // All at once: each takes two attempts, and 20 s.
  const slow = made.filter(({ says }) => says === late);
  for (const operation of ['consume', 'grant'] as const) {
    const times = 2 * slow.filter(({ scenario }) => scenario.operation === operation).length;
    stack.store.control.addFault({ operation, answerLatencyMs: lateMs, times });
  }
  const answers = await Promise.all(slow.map(submit));
  expect(answers.map(({ status }) => status)).toEqual(slow.map(() => 202));
  expect(stack.store.control.state().faults).toEqual([]);
  await later(61_000);
  await recover();
  await expectFulfilledOnce(made.map((one) => ({ ...one, events: 1 })));
});

test('three gems of one player, consumed at once, all answers lost: each consume has another order', async () => {
  const user = 'three gems';
  await player(gem, user);
  for (let more = 0; more < 2; more += 1) gem.prepare(user);
  const made = Array.from({ length: 3 }, () => ({ scenario: gem, user, ...gem.request(user) }));
  stack.store.control.addFault({ operation: 'consume', dropResponse: true, times: 6 });
  await Promise.all(made.map(submit));
  stack.store.control.clearFaults();
  await later(61_000);
  await recover();
  const records = await Promise.all(made.map(recordOf));
  expect(records.map(({ body }) => body.state)).toEqual(['completed', 'completed', 'completed']);
  const orders = records.flatMap(({ body }) => body.orders);
  expect(orders).toHaveLength(3);
  expect(new Set(orders.map(({ orderId }) => orderId)).size).toBe(3);
  expect(orders.map(({ matchedBy }) => matchedBy)).toContain('orders');
});

test('a gem whose answer was lost is not matched while another consume may still get the same order', async () => {
  const user = 'two gems';
  const slow = await player(gem, user);
  gem.prepare(user);
  const lost = { ...slow, ...gem.request(user) };
  const reached = () => stack.store.requests.filter(({ operation }) => operation === 'consume').length;
  const before = reached();
  stack.store.control.addFault({ operation: 'consume', answerLatencyMs: 3000 });
  const first = submit(slow);
  await expect.poll(reached, { interval: 10 }).toBe(before + 1);
  stack.store.control.addFault({ operation: 'consume', dropResponse: true });
  expect((await submit(lost)).status).toBe(202);
  const [{ orderId: known }] = (await first).body.orders;
  await later(61_000);
  await recover();
  const [matched, ...more] = (await recordOf(lost)).body.orders;
  expect([matched.matchedBy, more]).toEqual(['orders', []]);
  expect(matched.orderId).not.toBe(known);
});

test('what stays unknown is asked again after 5, 15 and 60 minutes, and logged as stuck after a day', async () => {
  const waiting = await player(coin, 'waiting');
  stack.store.control.addFault({ operation: 'consume', status: 429, times: null });
  const asked = () => stack.store.requests.filter(({ operation }) => operation === 'consume').length;
  expect((await submit(waiting)).status).toBe(202);
  const minute = 60_000;
  const day = 24 * 60 * minute;
  for (const [pause, due] of [
    [0.9, false],
    [0.2, true],
    [4, false],
    [1.1, true],
    [14, false],
    [1.1, true],
    [59, false],
    [1.1, true],
    [24 * 60, true],
  ] as const) {
    const before = asked();
    await later(pause * minute);
    await recover();
    expect([pause, asked() - before]).toEqual([pause, due ? 1 : 0]);
  }
  await expect.poll(logText, { timeout: 60_000 }).toContain(`"event":"consume.stuck"`);
  stack.store.control.clearFaults();
  await later(day);
  await recover();
  await expectFulfilledOnce([{ ...waiting, events: 1 }]);
});
