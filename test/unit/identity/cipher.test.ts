import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeyCipher } from '../../../src/shared/identity/cipher.ts';
import { vault } from './vault.ts';

const minute = 60_000;

test('keys at rest: encrypted for one owner, readable over rotations, each time with another nonce', async () => {
  const { secrets, put, clock, log } = vault();
  put('k', randomBytes(32).toString('base64'));
  const cipher = createKeyCipher(secrets, 'k');
  const owner = { userId: 'u', account: 'default', kind: 'collections' } as const;
  const first = await cipher.encrypt('the key', owner, log);
  put('k', randomBytes(32).toString('base64'));
  clock.advance(11 * minute);
  const second = await cipher.encrypt('the key', owner, log);
  expect([first.secretVersion, second.secretVersion]).toEqual(['v1', 'v2']);
  expect(await cipher.decrypt(first, owner, log)).toBe('the key');
  expect(await cipher.decrypt(second, owner, log)).toBe('the key');
  expect(Buffer.from(first.ciphertext).includes('the key')).toBe(false);
  const third = await cipher.encrypt('the key', owner, log);
  expect(Buffer.from(third.ciphertext).equals(Buffer.from(second.ciphertext))).toBe(false);
  for (const other of [
    { ...owner, userId: 'v' },
    { ...owner, account: 'x' },
    { ...owner, kind: 'purchase' as const },
  ]) {
    await expect(cipher.decrypt(second, other, log)).rejects.toMatchObject({ code: 'unavailable' });
  }
  const bent = Buffer.from(second.ciphertext);
  bent[30] = (bent[30] ?? 0) ^ 1;
  await expect(cipher.decrypt({ ...second, ciphertext: bent }, owner, log)).rejects.toMatchObject({
    code: 'unavailable',
  });
});

test('an encryption secret of another length is refused', async () => {
  const { secrets, put, log } = vault();
  put('k', 'c2hvcnQ=');
  const owner = { userId: 'u', account: 'default', kind: 'collections' } as const;
  await expect(createKeyCipher(secrets, 'k').encrypt('x', owner, log)).rejects.toMatchObject({ code: 'unavailable' });
});

test('after a rotation a key is encrypted anew, and never with an older version than before', async () => {
  const { secrets, anotherInstance, put, clock, log } = vault();
  const secret = () => randomBytes(32).toString('base64');
  put('k', secret());
  const stale = createKeyCipher(secrets, 'k');
  const owner = { userId: 'u', account: 'default', kind: 'collections' } as const;
  const old = await stale.encrypt('the key', owner, log);
  clock.advance(5 * minute);
  put('k', secret());
  const informed = createKeyCipher(anotherInstance(), 'k');
  expect(await informed.isCurrent(old, log)).toBe(false);
  const renewed = await informed.encrypt('the key', owner, log);
  expect(renewed.secretVersion).toBe('v2');
  // This instance still believes that v1 is the newest.
  expect(await stale.isCurrent(old, log)).toBe(true);
  expect(await stale.isCurrent(renewed, log)).toBe(true);
  expect((await stale.encrypt('the key', owner, log)).secretVersion).toBe('v2');
});

test('a shortened tag is refused', async () => {
  const { secrets, put, log } = vault();
  put('k', randomBytes(32).toString('base64'));
  const cipher = createKeyCipher(secrets, 'k');
  const owner = { userId: 'u', account: 'default', kind: 'collections' } as const;
  const { secretVersion, ciphertext } = await cipher.encrypt('', owner, log);
  // Of an empty text nonce and tag are all there is: without its last bytes the tag is shorter.
  const shortened = { secretVersion, ciphertext: Buffer.from(ciphertext).subarray(0, 12 + 12) };
  await expect(cipher.decrypt(shortened, owner, log)).rejects.toMatchObject({ code: 'unavailable' });
});
