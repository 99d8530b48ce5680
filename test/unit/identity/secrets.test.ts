import { expect, test } from 'vitest';
import { vault } from './vault.ts';

const minute = 60_000;

test('a secret is read once in 10 minutes, however many ask', async () => {
  const { secrets, put, reads, clock, log } = vault();
  put('s', 'one');
  await Promise.all(Array.from({ length: 20 }, () => secrets.newest('s', log)));
  put('s', 'two');
  clock.advance(10 * minute - 1);
  expect((await secrets.newest('s', log)).value).toBe('one');
  expect(reads).toEqual(['s/']);
  clock.advance(1);
  expect((await secrets.newest('s', log)).value).toBe('two');
});

test('a vault that is down: known secrets are used, others are unavailable', async () => {
  const { secrets, put, reads, state, clock, log } = vault();
  put('s', 'one');
  await secrets.newest('s', log);
  state.down = true;
  clock.advance(11 * minute);
  expect((await secrets.newest('s', log)).value).toBe('one');
  expect((await secrets.newest('s', log)).value).toBe('one');
  expect(reads).toHaveLength(2);
  await expect(secrets.newest('other', log)).rejects.toMatchObject({ code: 'unavailable' });
});
