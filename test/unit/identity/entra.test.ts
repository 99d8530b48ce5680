import { AuthenticationRequiredError } from '@azure/identity';
import { expect, test } from 'vitest';
import { createEntra } from '../../../src/shared/identity/entra.ts';
import { testCall, testClock } from '../../support/call.ts';

const minute = 60_000;

function entraAt(clock = testClock()) {
  const minted: string[] = [];
  const faults: unknown[] = [];
  const entra = createEntra(async (scope) => {
    minted.push(scope);
    const count = minted.length;
    await Promise.resolve();
    const fault = faults.shift();
    if (fault) throw fault;
    return { token: `t${count}`, expiresOnTimestamp: clock.now() + 60 * minute };
  }, clock);
  return { entra, clock, minted, faults, log: testCall().log };
}

test('fifty requests at once: one token for each audience', async () => {
  const { entra, minted, log } = entraAt();
  const tokens = await Promise.all(Array.from({ length: 50 }, () => entra.token('service', log)));
  expect(new Set(tokens.map(({ token }) => token))).toEqual(new Set(['t1']));
  await entra.token('purchase', log);
  expect(minted).toEqual([
    'https://onestore.microsoft.com/.default',
    'https://onestore.microsoft.com/b2b/keys/create/purchase/.default',
  ]);
});

test('a token with less than 5 minutes left is used while a new one is requested once', async () => {
  const { entra, clock, minted, log } = entraAt();
  await entra.token('service', log);
  clock.advance(55 * minute - 1);
  expect((await entra.token('service', log)).token).toBe('t1');
  expect(minted).toHaveLength(1);
  clock.advance(1);
  expect((await entra.token('service', log)).token).toBe('t1');
  expect((await entra.token('service', log)).token).toBe('t1');
  await new Promise(setImmediate);
  expect((await entra.token('service', log)).token).toBe('t2');
  expect(minted).toHaveLength(2);
});

test('an early refresh that fails is no error, and is not repeated with each request', async () => {
  const { entra, clock, minted, faults, log } = entraAt();
  await entra.token('service', log);
  clock.advance(56 * minute);
  faults.push(new Error('down'));
  expect((await entra.token('service', log)).token).toBe('t1');
  await new Promise(setImmediate);
  expect((await entra.token('service', log)).token).toBe('t1');
  expect(minted).toHaveLength(2);
  clock.advance(10_000);
  await entra.token('service', log);
  await new Promise(setImmediate);
  expect((await entra.token('service', log)).token).toBe('t3');
});

test('a refused token is dropped, its successor is not', async () => {
  const { entra, log } = entraAt();
  const { token } = await entra.token('service', log);
  entra.invalidate('service', token);
  expect((await entra.token('service', log)).token).toBe('t2');
  entra.invalidate('service', token);
  expect((await entra.token('service', log)).token).toBe('t2');
});

test('Entra that refuses is store_unauthorized, Entra that does not answer is unavailable', async () => {
  const { entra, faults, log } = entraAt();
  const said = (message: string) => new AuthenticationRequiredError({ scopes: [], message });
  faults.push(said('invalid_client: Error(s): 7000215 - Description: AADSTS7000215: Invalid client secret provided.'));
  await expect(entra.token('service', log)).rejects.toMatchObject({ code: 'store_unauthorized' });
  faults.push(said('temporarily_unavailable: Error(s): 90033 - Description: AADSTS90033: A transient error.'));
  await expect(entra.token('service', log)).rejects.toMatchObject({ code: 'unavailable' });
  faults.push(new Error('ECONNREFUSED'));
  await expect(entra.token('service', log)).rejects.toMatchObject({ code: 'unavailable' });
});
