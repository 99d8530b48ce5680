import { afterAll, expect, test } from 'vitest';
import { stack, useStack } from '../e2e/harness.ts';
import {
  expectFulfilledOnce,
  player,
  proxy,
  recordOf,
  recover,
  restartLater,
  type Scenario,
  scenarios,
  submit,
  useProxy,
} from './scenarios.ts';

// The reset before each test would take the players of the one before: each test uses its own.
useStack();
useProxy();

const minute = 60_000;
let killed = 0;
afterAll(() => console.log(`${killed} kill points`));

const kill = () => {
  killed += 1;
  process.kill(stack.host().pid, 'SIGKILL');
};

/** Starts the functions again a minute later, runs the recovery, and looks at what has become of it. */
async function afterwards(scenario: Scenario, user: string, id: string, body: object): Promise<void> {
  proxy.begin(() => ({ does: 'pass' }));
  await restartLater(minute + 1000);
  const found = (await recordOf(scenario, user, id)).body;
  await recover();
  // Whoever never got an answer asks again.
  const answer = await submit(scenario, body);
  expect([200, 201], answer.text).toContain(answer.status);
  await expectFulfilledOnce(scenario, user, id, found.state === 'pending' ? 1 : 0);
}

test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
  'killed at every step: %s',
  async (name, scenario) => {
    const begun = killed;
    // Until one comes through: then every step before it has been met, both before and after it acted.
    for (let step = 1, through = false; !through; step += 1) {
      for (const after of ['nothing', 'acting'] as const) {
        const user = `${name}, killed at request ${step} after ${after}`;
        const { id, body } = await player(scenario, user);
        const before = killed;
        proxy.begin((number) => (number === step ? { does: 'kill', after, kill } : { does: 'pass' }));
        const outcome = await submit(scenario, body).then(
          ({ status }) => status,
          () => 'cut',
        );
        through = killed === before;
        if (through) expect([200, 201]).toContain(outcome);
        else expect(outcome).toBe('cut');
        await afterwards(scenario, user, id, body);
      }
    }
    expect(killed - begun).toBeGreaterThanOrEqual(6);

    const user = `${name}, killed when the Store had acted`;
    const { id, body } = await player(scenario, user);
    stack.store.control.addFault({ operation: scenario.operation as 'consume', answerLatencyMs: 2000 });
    const cut = submit(scenario, body).then(
      () => 'answered',
      () => 'cut',
    );
    const acted = () => stack.store.requests.filter((request) => request.operation === scenario.operation).length;
    const asked = acted();
    await expect.poll(acted, { interval: 10 }).toBeGreaterThan(asked);
    kill();
    expect(await cut).toBe('cut');
    await afterwards(scenario, user, id, body);
  },
  120_000,
);

test('killed at every step of the recovery', async () => {
  const scenario = scenarios[1] as Scenario;
  const pending = async (user: string) => {
    const made = await player(scenario, user);
    stack.store.control.addFault({ operation: 'consume', status: 429 });
    expect((await submit(scenario, made.body)).status).toBe(202);
    return made;
  };
  const begun = killed;
  for (let step = 1, through = false; !through; step += 1) {
    const user = `recovery, killed at request ${step}`;
    const { userId, id } = await pending(user);
    await restartLater(minute + 1000);
    const before = killed;
    proxy.begin((number) => (number === step ? { does: 'kill', after: 'acting', kill } : { does: 'pass' }));
    let ended = false;
    const first = recover().finally(() => {
      ended = true;
    });
    await expect.poll(() => ended || killed > before, { timeout: 10_000, interval: 20 }).toBe(true);
    through = killed === before;
    proxy.begin(() => ({ does: 'pass' }));
    if (!through) {
      await restartLater(6 * minute);
      await recover();
    }
    await first;
    await expectFulfilledOnce(scenario, userId, id, 1);
  }
  // 16 partitions of two tables are read, and in between the record is taken up and settled.
  expect(killed - begun).toBeGreaterThan(2 * 16 + 6);
}, 170_000);
