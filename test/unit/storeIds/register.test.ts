import { expect, test } from 'vitest';
import { createStoreIds, replaces } from '../../../src/shared/storeIds/register.ts';
import { day, keyOf, minute, refused, world } from './world.ts';

test('a key never replaces a newer one, unless that is unrenewable', () => {
  const stored = { issuedAt: 100, expiresAt: 200, unrenewable: false };
  expect(replaces({ issuedAt: 99, expiresAt: 300 }, stored)).toBe(false);
  expect(replaces({ issuedAt: 100, expiresAt: 300 }, stored)).toBe(true);
  expect(replaces({ issuedAt: 99, expiresAt: 300 }, { ...stored, unrenewable: true })).toBe(true);
  expect(replaces({ issuedAt: 99, expiresAt: 300 }, undefined)).toBe(true);
});

/** A user who registers, with a key that the Store refuses to renew. */
async function deadKey() {
  const made = world();
  const { clock, callNow } = made;
  const woken: string[][] = [];
  const storeIds = createStoreIds({
    ...made,
    clientId: 'client',
    onKeysRegistered: async (_call, _userId, _account, kinds) => {
      woken.push([...kinds]);
    },
  });
  const register = (collectionsId: string) => storeIds.register(callNow(), 'u', { account: 'default', collectionsId });
  const key = keyOf(clock.now() - 20 * day);
  await register(key);
  made.state.answer = () => refused('AuthenticationTokenInvalid');
  /** The Store refuses to renew it, which is proven. */
  const refuse = async () => {
    const { row = expect.fail('no row') } = (await made.stored()) ?? {};
    await made.renewals.renewStored(callNow(), row);
    await made.otherCall();
    clock.advance(11 * minute);
  };
  const row = async () => (await made.stored())?.row ?? expect.fail('no row');
  return { ...made, key, register, refuse, row, woken };
}

test('the same key again does not make the Store\u2019s refusals undone: a second one ends it', async () => {
  const { key, register, refuse, row } = await deadKey();
  await refuse();
  const { refusedAt } = await row();
  expect(refusedAt).toEqual(expect.any(Number));
  await register(key);
  expect((await row()).refusedAt).toBe(refusedAt);
  await refuse();
  expect((await row()).unrenewable).toBe(true);
});

test('the same key again wakes what waits for it, unless it can no longer be renewed', async () => {
  const { key, register, refuse, row, woken, clock } = await deadKey();
  await register(key);
  expect(woken).toEqual([['collections'], ['collections']]);
  await refuse();
  await refuse();
  expect((await register(key)).collections?.state).toBe('unrenewable');
  expect(woken).toHaveLength(2);
  // Another key, even an older one, takes its place, and is not refused yet.
  const other = await register(keyOf(clock.now() - 21 * day));
  expect(other.collections?.state).toBe('due');
  expect(await row()).toMatchObject({ unrenewable: false });
  expect((await row()).refusedAt).toBeUndefined();
  expect(woken).toHaveLength(3);
});

test('another key of the same second is another key', async () => {
  const { register, refuse, row } = await deadKey();
  await refuse();
  const { issuedAt, refusedAt } = await row();
  expect(refusedAt).toBeDefined();
  await register(keyOf(issuedAt));
  expect((await row()).refusedAt).toBeUndefined();
});

test('a stored key that cannot be read is mended by its registration', async () => {
  const { key, register, row, table, stored } = await deadKey();
  const broken = await row();
  await table.put([{ ...broken, ciphertext: Buffer.alloc(60) }]);
  await register(key);
  expect((await stored())?.key).toBe(key);
});
