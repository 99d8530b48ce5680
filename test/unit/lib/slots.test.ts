import { expect, test } from 'vitest';
import { Slots } from '../../../src/shared/lib/slots.ts';

test('slots are given in the order of asking; who waited too long, or found the line full, gets none', async () => {
  const slots = new Slots(1, 3);
  const got: string[] = [];
  const ask = (name: string, ms: number) => slots.take(ms).then((taken) => got.push(`${name} ${taken}`));
  await ask('a', 0);
  const b = ask('b', 60_000);
  const impatient = ask('c', 1);
  const d = ask('d', 60_000);
  await ask('e', 60_000);
  await impatient;
  slots.giveBack();
  await b;
  slots.giveBack();
  await d;
  slots.giveBack();
  await ask('f', 0);
  expect(got).toEqual(['a true', 'e false', 'c false', 'b true', 'd true', 'f true']);
});

test('at most as many at once as there are slots, and none is lost', async () => {
  const slots = new Slots(5, 1000);
  let running = 0;
  let most = 0;
  const work = async () => {
    if (!(await slots.take(60_000))) return;
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
    slots.giveBack();
  };
  await Promise.all(Array.from({ length: 200 }, work));
  await Promise.all(Array.from({ length: 200 }, work));
  expect([most, running]).toEqual([5, 0]);
});
