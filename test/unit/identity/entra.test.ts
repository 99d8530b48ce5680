import { expect, test } from 'vitest';
import { createEntra } from '../../../src/shared/identity/entra.ts';
import { EntraFault } from '../../../src/shared/identity/publisherMint.ts';
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

test('an early refresh that fails is no error, and is tried again after 30 s', async () => {
  const { entra, clock, minted, faults, log } = entraAt();
  await entra.token('service', log);
  clock.advance(56 * minute);
  faults.push(new Error('down'));
  expect((await entra.token('service', log)).token).toBe('t1');
  await new Promise(setImmediate);
  clock.advance(29_999);
  expect((await entra.token('service', log)).token).toBe('t1');
  expect(minted).toHaveLength(2);
  clock.advance(1);
  await entra.token('service', log);
  await new Promise(setImmediate);
  expect((await entra.token('service', log)).token).toBe('t3');
});

test('the line about a failed refresh says when the token expires, as a time', async () => {
  const { entra, clock, faults } = entraAt();
  const { log, lines } = testCall();
  await entra.token('service', log);
  clock.advance(56 * minute);
  faults.push(new Error('down'));
  await entra.token('service', log);
  await new Promise(setImmediate);
  expect(lines.at(-1)).toMatch(/entra\.refreshFailed.*"expiresAt":"2026-11-22T07:35:00\.000Z"/);
});

test('whether there is another token than the refused one', async () => {
  const { entra, token, faults, clock, log } = await withRefusedToken();
  const replace = (refused = token) => entra.replace('service', { token: refused, sentAt: clock.now() }, log);
  faults.push(new Error('down'));
  expect(await replace()).toBe(false);
  clock.advance(minute);
  expect(await replace()).toBe(true);
  expect(await replace()).toBe(true);
  // Young.
  expect(await replace('t3')).toBe(false);
});

/** An hour-old service token that the Store has refused just now. */
async function withRefusedToken() {
  const made = entraAt();
  const { entra, clock, log } = made;
  const { token } = await entra.token('service', log);
  clock.advance(2 * minute);
  const refuse = () => entra.replace('service', { token, sentAt: clock.now() }, log);
  const current = async () => (await entra.token('service', log)).token;
  return { ...made, refuse, current, token };
}

test('a refused token is replaced once, however many callers report it', async () => {
  const { refuse, current, minted } = await withRefusedToken();
  const refusals = Promise.all(Array.from({ length: 20 }, refuse));
  // Until there is a new one, the old one serves those who have nothing to do with the refusal.
  expect(await current()).toBe('t1');
  await refusals;
  expect([await current(), minted.length]).toEqual(['t2', 2]);
  await refuse();
  expect([await current(), minted.length]).toEqual(['t2', 2]);
});

test('a token younger than a minute is not at fault', async () => {
  const { entra, clock, minted, log } = entraAt();
  const { token } = await entra.token('service', log);
  clock.advance(minute - 1);
  await entra.replace('service', { token, sentAt: clock.now() }, log);
  expect(minted).toHaveLength(1);
  clock.advance(1);
  await entra.replace('service', { token, sentAt: clock.now() }, log);
  expect(minted).toHaveLength(2);
});

test('a token that the Store took after the refused call was sent is not at fault', async () => {
  const { entra, clock, token, minted, log } = await withRefusedToken();
  const sentAt = clock.now();
  clock.advance(50);
  entra.acceptances.note(token, log);
  await entra.replace('service', { token, sentAt }, log);
  expect(minted).toHaveLength(1);
  // Taken before that call says nothing of what happened since.
  await entra.replace('service', { token, sentAt: sentAt + 51 }, log);
  expect(minted).toHaveLength(2);
});

test('at most one forced mint in 30 s, and while Entra fails the old token stays', async () => {
  const { refuse, current, minted, faults, clock } = await withRefusedToken();
  faults.push(new Error('down'));
  for (let second = 0; second < 30; second += 1) {
    await refuse();
    expect(await current()).toBe('t1');
    clock.advance(999);
  }
  expect(minted).toHaveLength(2);
  clock.advance(1000);
  await refuse();
  expect([await current(), minted.length]).toEqual(['t3', 3]);
});

test('a failure is answered from memory for 30 s, per audience, with the time that is left', async () => {
  const { entra, clock, minted, faults, log } = entraAt();
  faults.push(new EntraFault('refused', null, new Error('invalid_client')));
  const first = entra.token('collections', log);
  await expect(first).rejects.toMatchObject({ code: 'store_unauthorized', details: { retryAfterSeconds: 30 } });
  clock.advance(20_000);
  const again = entra.token('collections', log);
  await expect(again).rejects.toMatchObject({ code: 'store_unauthorized', details: { retryAfterSeconds: 10 } });
  expect(minted).toHaveLength(1);
  expect((await entra.token('service', log)).token).toBe('t2');
  clock.advance(10_000);
  expect((await entra.token('collections', log)).token).toBe('t3');
});

test('the Retry-After of Entra counts, if it is longer', async () => {
  const { entra, clock, minted, faults, log } = entraAt();
  const ask = () => entra.token('service', log);
  faults.push(new EntraFault('throttled', 90, new Error('429')));
  await expect(ask()).rejects.toMatchObject({ code: 'unavailable', details: { retryAfterSeconds: 90 } });
  clock.advance(89_000);
  await expect(ask()).rejects.toMatchObject({ code: 'unavailable', details: { retryAfterSeconds: 1 } });
  clock.advance(1000);
  await ask();
  expect(minted).toHaveLength(2);
});

test.each([
  ['refused', 'store_unauthorized', /for the purchase audience.*ENTRA_CLIENT_ID/],
  ['unknownTenant', 'store_unauthorized', /no such tenant.*ENTRA_TENANT_ID/],
  ['throttled', 'unavailable', /limits the rate/],
  ['unreachable', 'unavailable', /could not be reached/],
] as const)('%s: %s, and the text says which audience and what to do', async (reason, code, text) => {
  const { entra, faults, log } = entraAt();
  faults.push(new EntraFault(reason, null, new Error('x')));
  const fault = await entra.token('purchase', log).catch((error: unknown) => error);
  expect(fault).toMatchObject({ code, message: expect.stringMatching(text) });
  expect(fault).toMatchObject({ message: expect.stringContaining('purchase audience') });
});
