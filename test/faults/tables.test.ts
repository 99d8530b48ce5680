import { expect, test } from 'vitest';
import { api, keysOf, stack, storeIdsPath, useStack } from '../e2e/harness.ts';
import type { ProxyAction } from '../support/tableProxy.ts';
import { expectFulfilledOnce } from './fulfilledOnce.ts';
import {
  type Fulfilment,
  gem,
  later,
  player,
  proxy,
  recordOf,
  recover,
  restartLater,
  type Scenario,
  scenarios,
  stepsOf,
  submit,
  useProxy,
} from './scenarios.ts';

useStack();
useProxy();

const actions: [string, ProxyAction][] = [
  ['answers 500', { does: 'answer', status: 500 }],
  ['answers 503', { does: 'answer', status: 503 }],
  ['is cut off before it acts', { does: 'drop', acted: false }],
  ['is cut off after it acts', { does: 'drop', acted: true }],
];
const cases = scenarios.flatMap((scenario) =>
  actions.map(([says, action]) => [scenario.name, says, scenario, action] as const),
);

test.each(cases)('%s: each table request in turn %s once', async (name, says, scenario, action) => {
  const made = await Promise.all(
    stepsOf(scenario).map(async (step) => {
      const one = await player(scenario, `${name}, request ${step} ${says}`);
      const requests = proxy.decideFor(one.user, (number) => (number === step ? action : { does: 'pass' }));
      const answer = await submit(one);
      const count = requests.count();
      requests.end();
      expect([200, 201], `${one.user}: ${answer.text}`).toContain(answer.status);
      return { ...one, reached: count >= step, events: 0 };
    }),
  );
  expect(made.map(({ reached }) => reached)).toEqual([...Array(scenario.requests).fill(true), false]);
  await expectFulfilledOnce(made);
});

interface Broken extends Fulfilment {
  answered: number;
  /** The state of the record when the tables are back. */
  found: string;
}

/** A fulfilment whose table requests all fail in one way, from one of them on. Undefined: it ended before that one. */
async function breakFrom(
  step: number,
  scenario: Scenario,
  user: string,
  action: ProxyAction,
): Promise<Broken | undefined> {
  const made = await player(scenario, user);
  const requests = proxy.decideFor(user, (number) => (number >= step ? action : { does: 'pass' }));
  const { status, text, body } = await submit(made);
  const count = requests.count();
  requests.end();
  const allowed = status === 200 || status === 201 || status === 202 || body?.code === 'unavailable';
  expect(allowed, `${user}: ${status} ${text}`).toBe(true);
  const record = await recordOf(made);
  return count < step ? undefined : { ...made, answered: status, found: record.body.state ?? 'none' };
}

test.each(
  scenarios.map((scenario) => [scenario.name, scenario] as const),
)('%s: from each table request on, everything fails, until the tables are back', async (name, scenario) => {
  const broken = await Promise.all(
    actions.flatMap(([says, action]) =>
      stepsOf(scenario).map((step) => breakFrom(step, scenario, `${name}, from request ${step} on ${says}`, action)),
    ),
  );
  const reached = broken.filter((one) => one !== undefined);
  expect(reached.length).toBeGreaterThanOrEqual(2 * actions.length);
  expect(reached.length).toBeLessThan(broken.length);
  // The answer 503 says that nothing was sent: no record may remain.
  for (const one of reached.filter(({ answered }) => answered === 503)) {
    await expect.poll(async () => (await recordOf(one)).status).toBe(404);
  }
  await later(130_000);
  await expectSettled(reached);
});

/** After a run of the recovery each is settled. Whoever was answered "pending" gets an event, nobody gets two. */
async function expectSettled(made: Broken[]): Promise<void> {
  await recover();
  for (const one of made) {
    if (one.answered === 202) expect((await recordOf(one)).body.state, one.user).toBe('completed');
    expect([200, 201]).toContain((await submit(one)).status);
  }
  // An answer 200 whose record could not be written has an event as well.
  const hasEvent = ({ answered, found }: Broken) => answered !== 503 && found === 'pending';
  await expectFulfilledOnce(made.map((one) => ({ ...one, events: one.answered === 202 || hasEvent(one) ? 1 : 0 })));
}

test('killed right after the answer, with each write cut off after it acted: no event is lost', async () => {
  const cut: ProxyAction = { does: 'drop', acted: true };
  const broken = await Promise.all(
    scenarios.flatMap((scenario) =>
      stepsOf(scenario).map((step) => breakFrom(step, scenario, `${scenario.name}, cut from ${step} on, killed`, cut)),
    ),
  );
  const reached = broken.filter((one) => one !== undefined && one.answered !== 503);
  expect(reached.length).toBeGreaterThanOrEqual(2 * scenarios.length);
  await restartLater(61_000);
  await expectSettled(reached as Broken[]);
});

test.each([
  'tables',
  'kill',
] as const)('a gem of a player without a purchase key, its record not written (%s): completed all the same, with the same order', async (how) => {
  const user = `no purchase key, ${how}`;
  proxy.decideAll(() => ({ does: 'pass' }));
  await api('PUT', storeIdsPath(user), { collectionsId: keysOf(user).collectionsId });
  gem.prepare(user);
  const made = { scenario: gem, user, ...gem.request(user) };
  const kill = () => process.kill(stack.host().pid, 'SIGKILL');
  const last = gem.requests;
  const requests = proxy.decideFor(user, (number) => {
    if (number < last) return { does: 'pass' };
    return how === 'kill' ? { does: 'kill', acted: false, kill } : { does: 'answer', status: 500 };
  });
  const answer = await submit(made).catch(() => undefined);
  requests.end();
  if (how === 'kill') await restartLater(130_000);
  else await later(130_000);
  await recover();
  const record = await recordOf(made);
  expect(record.body.state, record.text).toBe('completed');
  if (answer) expect([answer.status, answer.body.orders]).toEqual([200, record.body.orders]);
  expect(record.body.orders[0]).not.toHaveProperty('matchedBy');
});

test('a gem whose order is known but not claimed is not given to another gem', async () => {
  const user = 'known but not claimed';
  const first = await player(gem, user);
  gem.prepare(user);
  const second = { ...first, ...gem.request(user) };
  const requests = proxy.decideFor(user, (number) =>
    number >= 4 && number < 60 ? { does: 'answer', status: 500 } : { does: 'pass' },
  );
  expect((await submit(first)).status).toBe(202);
  requests.end();
  stack.store.control.addFault({ operation: 'consume', dropResponse: true });
  await submit(second);
  for (let run = 0; run < 2; run += 1) {
    await later(6 * 60_000);
    await recover();
  }
  const orders = await Promise.all([first, second].map(async (one) => (await recordOf(one)).body.orders));
  expect(orders.map((lines) => lines.length)).toEqual([1, 1]);
  expect(orders[0][0].orderId).not.toBe(orders[1][0].orderId);
});
