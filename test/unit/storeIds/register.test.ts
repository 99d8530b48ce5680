import { expect, test } from 'vitest';
import { replaces } from '../../../src/shared/storeIds/register.ts';

test('a key never replaces a newer one, unless that is unrenewable', () => {
  const stored = { issuedAt: 100, expiresAt: 200, unrenewable: false };
  expect(replaces({ issuedAt: 99, expiresAt: 300 }, stored)).toBe(false);
  expect(replaces({ issuedAt: 100, expiresAt: 300 }, stored)).toBe(true);
  expect(replaces({ issuedAt: 99, expiresAt: 300 }, { ...stored, unrenewable: true })).toBe(true);
  expect(replaces({ issuedAt: 99, expiresAt: 300 }, undefined)).toBe(true);
});
