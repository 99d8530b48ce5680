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

test('a read that failed is answered from memory for 30 s, per secret', async () => {
  const { secrets, put, reads, state, clock, log } = vault();
  state.down = true;
  const ask = () => secrets.newest('s', log);
  await expect(ask()).rejects.toMatchObject({ code: 'unavailable', details: { retryAfterSeconds: 30 } });
  clock.advance(29_000);
  await expect(ask()).rejects.toMatchObject({ code: 'unavailable', details: { retryAfterSeconds: 1 } });
  await expect(secrets.reread('s', log)).rejects.toMatchObject({ code: 'unavailable' });
  expect(reads).toEqual(['s/']);
  state.down = false;
  put('s', 'one');
  put('other', 'two');
  expect((await secrets.newest('other', log)).value).toBe('two');
  clock.advance(1000);
  expect((await ask()).value).toBe('one');
});

test('a version that is newer than the newest known one takes its place', async () => {
  const { secrets, put, clock, log } = vault();
  put('s', 'one');
  await secrets.newest('s', log);
  clock.advance(1000);
  put('s', 'two');
  await secrets.version('s', 'v2', log);
  expect((await secrets.newest('s', log)).version).toBe('v2');
  await secrets.version('s', 'v1', log);
  expect((await secrets.newest('s', log)).version).toBe('v2');
});
