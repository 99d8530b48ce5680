import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { keyCipher } from '../../../src/shared/identity/cipher.ts';
import { vault } from './vault.ts';

const minute = 60_000;

test('stored keys: encrypted for one owner, readable after rotations, each with another nonce', async () => {
  const { secrets, put, clock, log } = vault();
  put('k', randomBytes(32).toString('base64'));
  const cipher = keyCipher(secrets, 'k');
  const owner = { userId: 'u', account: 'default', kind: 'collections' } as const;
  const first = await cipher.seal('the key', owner, log);
  put('k', randomBytes(32).toString('base64'));
  clock.advance(11 * minute);
  const second = await cipher.seal('the key', owner, log);
  expect([first.secretVersion, second.secretVersion]).toEqual(['v1', 'v2']);
  expect(await cipher.open(first, owner, log)).toBe('the key');
  expect(await cipher.open(second, owner, log)).toBe('the key');
  expect(Buffer.from(first.sealed).includes('the key')).toBe(false);
  const third = await cipher.seal('the key', owner, log);
  expect(Buffer.from(third.sealed).equals(Buffer.from(second.sealed))).toBe(false);
  for (const other of [
    { ...owner, userId: 'v' },
    { ...owner, account: 'x' },
    { ...owner, kind: 'purchase' as const },
  ]) {
    await expect(cipher.open(second, other, log)).rejects.toMatchObject({ code: 'unavailable' });
  }
  const bent = Buffer.from(second.sealed);
  bent[30] = (bent[30] ?? 0) ^ 1;
  await expect(cipher.open({ ...second, sealed: bent }, owner, log)).rejects.toMatchObject({ code: 'unavailable' });
});

test('an encryption secret of another length is refused', async () => {
  const { secrets, put, log } = vault();
  put('k', 'c2hvcnQ=');
  const owner = { userId: 'u', account: 'default', kind: 'collections' } as const;
  await expect(keyCipher(secrets, 'k').seal('x', owner, log)).rejects.toMatchObject({ code: 'unavailable' });
});
