import { afterAll, expect, test } from 'vitest';
import { chunksOf } from '../../src/shared/lib/chunks.ts';
import { fulfilmentShards } from '../../src/shared/state/fulfilments.ts';
import { stack, useStack } from '../e2e/harness.ts';
import {
  expectFulfilledOnce,
  fireRecovery,
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

// The reset before each test would take the players of the one before: each test uses its own.
useStack();
useProxy();

const minute = 60_000;
const moments = ['nothing', 'acting'] as const;

let killPoints = 0;
afterAll(() => console.log(`${killPoints} kill points`));

const kill = (points: number) => {
  killPoints += points;
  process.kill(stack.host().pid, 'SIGKILL');
};
const answered = (request: Promise<{ status: number }>): Promise<number | 'cut'> =>
  request.then(
    ({ status }) => status,
    () => 'cut' as const,
  );

interface Killed {
  scenario: Scenario;
  user: string;
  id: string;
  body: object;
}

/** Starts the functions again a minute after the kill, runs the recovery, and looks at what has become of everyone. */
async function afterwards(killed: Killed[]): Promise<void> {
  proxy.begin(() => ({ does: 'pass' }));
  await restartLater(minute + 1000);
  const found = await Promise.all(killed.map(({ scenario, user, id }) => recordOf(scenario, user, id)));
  await recover();
  for (const [at, { scenario, user, id, body }] of killed.entries()) {
    // Whoever never got an answer asks again.
    const answer = await submit(scenario, body);
    expect([200, 201], answer.text).toContain(answer.status);
    await expectFulfilledOnce(scenario, user, id, found[at]?.body.state === 'pending' ? 1 : 0);
  }
}

test('killed at every table request, before and after it acted: each fulfilment at its own, all by one kill', async () => {
  const begun = scenarios.flatMap((scenario) =>
    stepsOf(scenario).flatMap((step) =>
      moments.map(async (after) => {
        const user = `${scenario.name}, killed at request ${step} after ${after}`;
        const made = { scenario, user, ...(await player(scenario, user)) };
        const course = proxy.beginFor(user, (number) => (number === step ? { does: 'hold', after } : { does: 'pass' }));
        const outcome = answered(submit(scenario, made.body));
        const until = await Promise.race([course.held, outcome]);
        return { ...made, step, outcome, until, course };
      }),
    ),
  );
  const all = await Promise.all(begun);
  const held = all.filter(({ until }) => until === 'held');
  for (const { until, user } of all) if (until !== 'held') expect([200, 201], user).toContain(until);
  for (const scenario of scenarios) {
    const met = held.filter((one) => one.scenario === scenario).map(({ step }) => step);
    // Each of them was met, before and after it acted, and there is no further one.
    expect(met).toEqual(
      stepsOf(scenario)
        .slice(0, -1)
        .flatMap((step) => [step, step]),
    );
  }
  kill(held.length);
  expect(new Set(await Promise.all(held.map(({ outcome }) => outcome)))).toEqual(new Set(['cut']));
  for (const { course } of all) course.end();
  await afterwards(held);
});

test('killed at every table request of a new process: its tables are made, its tokens and secrets are had', async () => {
  const scenario = scenarios[2] as Scenario;
  const users = await Promise.all(
    Array.from({ length: 12 }, async (_, at) => {
      const user = `${scenario.name}, killed at request ${at + 1} of a new process`;
      return { scenario, user, ...(await player(scenario, user)) };
    }),
  );
  // Until one comes through: then every step before it has been met.
  const killed: Killed[] = [];
  for (const [at, one] of users.entries()) {
    await restartLater(0);
    proxy.begin((number) =>
      number === at + 1 ? { does: 'kill', after: 'acting', kill: () => kill(1) } : { does: 'pass' },
    );
    const outcome = await answered(submit(scenario, one.body));
    if (outcome !== 'cut') {
      expect(outcome).toBe(200);
      break;
    }
    killed.push(one);
  }
  expect(killed.length).toBeGreaterThanOrEqual(4 + 3);
  expect(killed.length).toBeLessThan(users.length);
  await afterwards(killed);
});

test.each([
  ['has acted', { answerLatencyMs: 3000 }],
  ['is yet to act', { latencyMs: 3000 }],
] as const)('killed while the Store %s', async (says, fault) => {
  const made = await Promise.all(
    scenarios.map(async (scenario) => {
      const user = `${scenario.name}, killed when the Store ${says}`;
      return { scenario, user, ...(await player(scenario, user)) };
    }),
  );
  for (const operation of ['consume', 'grant'] as const)
    stack.store.control.addFault({ operation, times: null, ...fault });
  const asked = () => stack.store.requests.filter(({ operation }) => /^(consume|grant)$/.test(operation)).length;
  const before = asked();
  const outcomes = made.map(({ scenario, body }) => answered(submit(scenario, body)));
  await expect.poll(asked, { interval: 10 }).toBe(before + made.length);
  kill(made.length);
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['cut']));
  stack.store.control.clearFaults();
  await afterwards(made);
});

/** A fulfilment that is pending: the Store did not do it, or did it and nobody heard of it. */
async function pending(scenario: Scenario, user: string, lost: boolean): Promise<Killed> {
  const made = await player(scenario, user);
  const fault = lost ? ({ dropResponse: true, times: 2 } as const) : { status: 429 };
  stack.store.control.addFault({ operation: scenario.operation as 'consume', ...fault });
  expect((await submit(scenario, made.body)).status).toBe(202);
  return { scenario, user, ...made };
}

/** Fewer than the recovery takes up at once, so that those who are held do not keep it from the others. */
const heldAtOnce = 24;

test('killed at every table request of the recovery: each record at its own, many by one kill', async () => {
  const ways = scenarios.flatMap((scenario) => [
    { scenario, lost: false },
    { scenario, lost: true },
  ]);
  const counted = [];
  for (const { scenario, lost } of ways) {
    const one = await pending(scenario, `${scenario.name} ${lost ? 'lost' : 'refused'}, recovered`, lost);
    counted.push({ lost, ...one, course: proxy.beginFor(one.user, () => ({ does: 'pass' })) });
  }
  await later(minute + 1000);
  await recover();
  const points = counted.flatMap(({ scenario, lost, course }) =>
    Array.from({ length: course.count() }, (_, at) => ({ scenario, lost, step: at + 1 })),
  );
  // To look up, take up, read the key, write the outcome down, announce it, and strike it off the list.
  for (const { course } of counted) expect(course.count()).toBeGreaterThanOrEqual(6);

  for (const batch of chunksOf(points, heldAtOnce)) {
    const users = [];
    for (const { scenario, lost, step } of batch) {
      const name = `${scenario.name} ${lost ? 'lost' : 'refused'}, recovery killed at request ${step}`;
      users.push({ step, ...(await pending(scenario, name, lost)) });
    }
    await later(minute + 1000);
    const courses = users.map(({ user, step }) =>
      proxy.beginFor(user, (number) => (number === step ? { does: 'hold', after: 'acting' } : { does: 'pass' })),
    );
    await fireRecovery();
    await Promise.all(courses.map(({ held }) => held));
    kill(users.length);
    for (const course of courses) course.end();
    await restartLater(6 * minute);
    await recover();
    for (const { scenario, user, id } of users) await expectFulfilledOnce(scenario, user, id, 1);
  }
});

test('killed among the lists that the recovery reads, all of them at once', async () => {
  const [scenario] = scenarios as [Scenario];
  const met: Killed[] = [];
  const { lists } = await (async () => {
    await recover();
    const before = proxy.counted().requests;
    await recover();
    return { lists: proxy.counted().requests - before };
  })();
  expect(lists).toBe(2 * fulfilmentShards);
  for (const step of [1, 2, 3, fulfilmentShards, lists - 1, lists]) {
    const last = met.at(-1);
    if (!last || (await recordOf(scenario, last.user, last.id)).body.state !== 'pending')
      met.push(await pending(scenario, `recovery, killed at list ${step}`, false));
    await later(6 * minute);
    const before = killPoints;
    // What is about the user is counted apart: left are the lists.
    const course = proxy.beginFor(met.at(-1)?.user ?? '', () => ({ does: 'pass' }));
    proxy.begin((number) =>
      number === step ? { does: 'kill', after: 'acting', kill: () => kill(1) } : { does: 'pass' },
    );
    await fireRecovery();
    await expect.poll(() => killPoints, { interval: 20 }).toBe(before + 1);
    proxy.begin(() => ({ does: 'pass' }));
    course.end();
    await restartLater(0);
    // Its tables are made before the next kill.
    await recover();
  }
  await later(2 * 60 * minute);
  await recover();
  for (const { user, id } of met) await expectFulfilledOnce(scenario, user, id, 1);
});
