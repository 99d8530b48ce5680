import { afterAll, expect, test } from 'vitest';
import { chunksOf } from '../../src/shared/lib/chunks.ts';
import { fulfilmentShards } from '../../src/shared/state/fulfilments.ts';
import { fireRecovery, stack, useStack } from '../e2e/harness.ts';
import { expectFulfilledOnce } from './fulfilledOnce.ts';
import {
  coin,
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

// Each test uses players of its own: the reset before it removes those of the test before.
useStack();
useProxy();

const minute = 60_000;

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

/** Starts the functions a minute after the kill, runs the recovery, and checks every fulfilment. */
async function expectRecovered(killed: Fulfilment[]): Promise<void> {
  proxy.decideAll(() => ({ does: 'pass' }));
  await restartLater(minute + 1000);
  const found = await Promise.all(killed.map(recordOf));
  await recover();
  // A client that got no answer sends its request again.
  const answers = await Promise.all(killed.map(submit));
  for (const answer of answers) expect([200, 201], answer.text).toContain(answer.status);
  await expectFulfilledOnce(
    killed.map((one, index) => ({ ...one, events: found[index]?.body.state === 'pending' ? 1 : 0 })),
  );
}

/** A fulfilment that hangs at one of its table requests, if it gets there. */
async function hangAt(scenario: Scenario, step: number, acted: boolean) {
  const user = `${scenario.name}, killed at request ${step} ${acted ? 'after' : 'before'} it acted`;
  const made = await player(scenario, user);
  const requests = proxy.decideFor(user, (number) => (number === step ? { does: 'hang', acted } : { does: 'pass' }));
  const outcome = answered(submit(made));
  const until = await Promise.race([requests.hanging, outcome]);
  return { ...made, step, outcome, until, requests };
}

test('killed at every table request, before and after it acted: one kill, each fulfilment at another request', async () => {
  const all = await Promise.all(
    scenarios.flatMap((scenario) =>
      stepsOf(scenario).flatMap((step) => [false, true].map((acted) => hangAt(scenario, step, acted))),
    ),
  );
  const hanging = all.filter(({ until }) => until === 'hanging');
  for (const { until, user } of all) if (until !== 'hanging') expect([200, 201], user).toContain(until);
  for (const scenario of scenarios) {
    const reached = hanging.filter((one) => one.scenario === scenario).map(({ step }) => step);
    // Each request hangs, before and after it acted, and there are no others.
    expect(reached).toEqual(
      stepsOf(scenario)
        .slice(0, -1)
        .flatMap((step) => [step, step]),
    );
  }
  kill(hanging.length);
  expect(new Set(await Promise.all(hanging.map(({ outcome }) => outcome)))).toEqual(new Set(['cut']));
  for (const { requests } of all) requests.end();
  await expectRecovered(hanging);
});

test('killed at every table request of a new process, which also creates tables and gets tokens and secrets', async () => {
  const users = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      player(gem, `${gem.name}, killed at request ${index + 1} of a new process`),
    ),
  );
  // Until one succeeds: then every request before has been a kill point.
  const killed: Fulfilment[] = [];
  for (const [index, one] of users.entries()) {
    await restartLater(0);
    proxy.decideAll((number) =>
      number === index + 1 ? { does: 'kill', acted: true, kill: () => kill(1) } : { does: 'pass' },
    );
    const outcome = await answered(submit(one));
    if (outcome !== 'cut') {
      expect(outcome).toBe(200);
      break;
    }
    killed.push(one);
  }
  expect(killed.length).toBeGreaterThanOrEqual(4 + 3);
  expect(killed.length).toBeLessThan(users.length);
  await expectRecovered(killed);
});

test.each([
  ['has acted', { answerLatencyMs: 3000 }],
  ['has not acted yet', { latencyMs: 3000 }],
] as const)('killed while the Store %s', async (says, fault) => {
  const made = await Promise.all(
    scenarios.map((scenario) => player(scenario, `${scenario.name}, killed when the Store ${says}`)),
  );
  for (const operation of ['consume', 'grant'] as const)
    stack.store.control.addFault({ operation, times: null, ...fault });
  const asked = () => stack.store.requests.filter(({ operation }) => /^(consume|grant)$/.test(operation)).length;
  const before = asked();
  const outcomes = made.map((one) => answered(submit(one)));
  await expect.poll(asked, { interval: 10 }).toBe(before + made.length);
  kill(made.length);
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['cut']));
  stack.store.control.clearFaults();
  await expectRecovered(made);
});

interface Way {
  scenario: Scenario;
  /** The Store did it, but its answer was lost; false: the Store refused it for now. */
  lost: boolean;
}

const ways: Way[] = scenarios.flatMap((scenario) => [
  { scenario, lost: false },
  { scenario, lost: true },
]);

/** Pending fulfilments, one for each user. */
async function pending({ scenario, lost }: Way, users: string[]): Promise<Fulfilment[]> {
  const made = await Promise.all(users.map((user) => player(scenario, user)));
  const fault = lost ? { dropResponse: true, times: 2 * users.length } : { status: 429, times: users.length };
  stack.store.control.addFault({ operation: scenario.operation, ...fault });
  const answers = await Promise.all(made.map(submit));
  expect(answers.map(({ status }) => status)).toEqual(users.map(() => 202));
  return made;
}

/** Fewer users than the recovery serves at once, so that those that hang do not stop the others. */
const hangingAtOnce = 24;

test('killed at every table request of the recovery: one kill, many records, each at another request', async () => {
  const counted = [];
  for (const way of ways) {
    const name = `${way.scenario.name} ${way.lost ? 'lost' : 'refused'}`;
    await pending(way, [`${name}, recovered`]);
    counted.push({ way, name, requests: proxy.decideFor(`${name}, recovered`, () => ({ does: 'pass' })) });
  }
  await later(minute + 1000);
  await recover();
  // Read the record, lease it, read the key, write the outcome, publish the event, remove it from the list.
  for (const { requests } of counted) expect(requests.count()).toBeGreaterThanOrEqual(6);
  const points = counted.flatMap(({ way, name, requests }) =>
    Array.from({ length: requests.count() }, (_, index) => {
      return { way, step: index + 1, user: `${name}, recovery killed at request ${index + 1}` };
    }),
  );

  for (const batch of chunksOf(points, hangingAtOnce)) {
    const killed = [];
    for (const way of ways) {
      const users = batch.filter((point) => point.way === way).map(({ user }) => user);
      if (users.length > 0) killed.push(...(await pending(way, users)));
    }
    await later(minute + 1000);
    const hanging = batch.map(({ user, step }) =>
      proxy.decideFor(user, (number) => (number === step ? { does: 'hang', acted: true } : { does: 'pass' })),
    );
    await fireRecovery();
    await Promise.all(hanging.map((requests) => requests.hanging));
    kill(batch.length);
    for (const requests of hanging) requests.end();
    await restartLater(6 * minute);
    await recover();
    await expectFulfilledOnce(killed.map((one) => ({ ...one, events: 1 })));
  }
});

test('killed while the recovery reads its lists: at the first ones, at the last ones and between', async () => {
  const refused: Way = { scenario: coin, lost: false };
  const killed: Fulfilment[] = [];
  await recover();
  const before = proxy.count().requests;
  await recover();
  const lists = proxy.count().requests - before;
  // Events, attempts and what remains, of consumes and of grants.
  expect(lists).toBe(6 * fulfilmentShards);
  for (const step of [1, 2, 3, fulfilmentShards, lists / 2 + 1, lists - 1, lists]) {
    const last = killed.at(-1);
    if (!last || (await recordOf(last)).body.state !== 'pending')
      killed.push(...(await pending(refused, [`recovery, killed at list ${step}`])));
    await later(6 * minute);
    const points = killPoints;
    // Requests about the user are counted apart: the others are the lists.
    const requests = proxy.decideFor(killed.at(-1)?.user ?? '', () => ({ does: 'pass' }));
    proxy.decideAll((number) =>
      number === step ? { does: 'kill', acted: true, kill: () => kill(1) } : { does: 'pass' },
    );
    await fireRecovery();
    await expect.poll(() => killPoints, { interval: 20 }).toBe(points + 1);
    proxy.decideAll(() => ({ does: 'pass' }));
    requests.end();
    await restartLater(0);
    // Creates its tables before the next kill.
    await recover();
  }
  await later(2 * 60 * minute);
  await recover();
  await expectFulfilledOnce(killed.map((one) => ({ ...one, events: 1 })));
});
