import { expect, test } from 'vitest';
import { useStack } from '../e2e/harness.ts';
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
import type { Fate } from './tableProxy.ts';

useStack();
useProxy();

const fates: [string, Fate][] = [
  ['answers 500', { does: 'answer', status: 500 }],
  ['answers 503', { does: 'answer', status: 503 }],
  ['is cut off before it acts', { does: 'lose', after: 'nothing' }],
  ['is cut off after it acts', { does: 'lose', after: 'acting' }],
];
const cases = scenarios.flatMap((scenario) =>
  fates.map(([says, fate]) => [scenario.name, says, scenario, fate] as const),
);

test.each(cases)(
  '%s: each table request in turn %s once',
  async (name, says, scenario, fate) => {
    for (let step = 1, through = false; !through; step += 1) {
      const user = `${name}, request ${step} ${says}`;
      const { id, body } = await player(scenario, user);
      proxy.begin((number) => (number === step ? fate : { does: 'pass' }));
      const answer = await submit(scenario, body);
      through = proxy.count() < step;
      expect([200, 201], `${user}: ${answer.text}`).toContain(answer.status);
      proxy.begin(() => ({ does: 'pass' }));
      await expectFulfilledOnce(scenario, user, id, 0);
    }
  },
  60_000,
);

test.each(cases.filter(([, says]) => says === 'answers 503' || says === 'is cut off after it acts'))(
  '%s: from each table request on, everything %s, until the tables are back',
  async (name, says, scenario: Scenario, fate) => {
    const broken: { user: string; id: string; body: object; answered: number; found: string }[] = [];
    for (let step = 1, through = false; !through; step += 1) {
      const user = `${name}, from request ${step} on ${says}`;
      const { id, body } = await player(scenario, user);
      proxy.begin((number) => (number >= step ? fate : { does: 'pass' }));
      const { status, text, body: said } = await submit(scenario, body);
      through = proxy.count() < step;
      const allowed = status === 200 || status === 201 || status === 202 || said?.code === 'unavailable';
      expect(allowed, `${user}: ${status} ${text}`).toBe(true);
      proxy.begin(() => ({ does: 'pass' }));
      const record = await recordOf(scenario, user, id);
      broken.push({ user, id, body, answered: status, found: record.body.state ?? 'none' });
    }
    await restartLater(61_000);
    await recover();
    for (const { user, id, body, answered, found } of broken) {
      if (answered === 202) expect((await recordOf(scenario, user, id)).body.state, user).toBe('completed');
      expect([200, 201]).toContain((await submit(scenario, body)).status);
      await expectFulfilledOnce(scenario, user, id, found === 'pending' ? 1 : 0);
    }
  },
  60_000,
);
