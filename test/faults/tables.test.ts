import { expect, test } from 'vitest';
import { useStack } from '../e2e/harness.ts';
import type { Fate } from '../support/tableProxy.ts';
import {
  eventsOf,
  expectFulfilledOnce,
  later,
  player,
  proxy,
  recordOf,
  recover,
  type Scenario,
  scenarios,
  stepsOf,
  submit,
  useProxy,
} from './scenarios.ts';

useStack();
useProxy();

const fates: [string, Fate][] = [
  ['answers 500', { does: 'answer', status: 500 }],
  ['answers 503', { does: 'answer', status: 503 }],
  ['is cut off before it acts', { does: 'drop', acted: false }],
  ['is cut off after it acts', { does: 'drop', acted: true }],
];
const cases = scenarios.flatMap((scenario) =>
  fates.map(([says, fate]) => [scenario.name, says, scenario, fate] as const),
);

test.each(cases)('%s: each table request in turn %s once', async (name, says, scenario, fate) => {
  const met = await Promise.all(
    stepsOf(scenario).map(async (step) => {
      const user = `${name}, request ${step} ${says}`;
      const { id, body } = await player(scenario, user);
      const broken = proxy.decideFor(user, (number) => (number === step ? fate : { does: 'pass' }));
      const answer = await submit(scenario, body);
      const count = broken.count();
      broken.end();
      expect([200, 201], `${user}: ${answer.text}`).toContain(answer.status);
      await expectFulfilledOnce(scenario, user, id, 0);
      return count >= step;
    }),
  );
  expect(met).toEqual([...Array(scenario.requests).fill(true), false]);
});

interface Broken {
  user: string;
  id: string;
  body: object;
  answered: number;
  /** What the record said when the tables were back. */
  found: string;
}

/** A fulfilment whose table requests all meet a fate, from one of them on. Undefined: it ended before that one. */
async function breakFrom(step: number, scenario: Scenario, user: string, fate: Fate): Promise<Broken | undefined> {
  const { id, body } = await player(scenario, user);
  const outage = proxy.decideFor(user, (number) => (number >= step ? fate : { does: 'pass' }));
  const { status, text, body: said } = await submit(scenario, body);
  const count = outage.count();
  outage.end();
  const allowed = status === 200 || status === 201 || status === 202 || said?.code === 'unavailable';
  expect(allowed, `${user}: ${status} ${text}`).toBe(true);
  const record = await recordOf(scenario, user, id);
  return count < step ? undefined : { user, id, body, answered: status, found: record.body.state ?? 'none' };
}

test.each(
  scenarios.map((scenario) => [scenario.name, scenario] as const),
)('%s: from each table request on, everything fails, until the tables are back', async (name, scenario) => {
  const broken = await Promise.all(
    fates.flatMap(([says, fate]) =>
      stepsOf(scenario).map((step) => breakFrom(step, scenario, `${name}, from request ${step} on ${says}`, fate)),
    ),
  );
  const met = broken.filter((one) => one !== undefined);
  expect(met.length).toBeGreaterThanOrEqual(2 * fates.length);
  expect(met.length).toBeLessThan(broken.length);
  // The answer 503 says that nothing was sent: no record may remain.
  for (const { user, id } of met.filter(({ answered }) => answered === 503)) {
    await expect.poll(async () => (await recordOf(scenario, user, id)).status, { timeout: 10_000 }).toBe(404);
  }
  // A request that was answered pending after its record was completed: the same process publishes the event.
  for (const { user } of met.filter(({ answered, found }) => answered === 202 && found === 'completed')) {
    await expect.poll(async () => (await eventsOf(user)).length, { timeout: 10_000 }).toBe(1);
  }
  await later(61_000);
  await recover();
  for (const { user, id, body, answered } of met) {
    if (answered === 202) expect((await recordOf(scenario, user, id)).body.state, user).toBe('completed');
    expect([200, 201]).toContain((await submit(scenario, body)).status);
    await expectFulfilledOnce(scenario, user, id, answered === 202 ? 1 : 0);
  }
});
