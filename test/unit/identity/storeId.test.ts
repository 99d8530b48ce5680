import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Problem } from '../../../src/shared/contract/problems.ts';
import { decodeStoreId, type KeyKind, keyState, renewAfter } from '../../../src/shared/identity/storeId.ts';
import { anyText } from '../../support/anyText.ts';

const prefix = 'http://schemas.microsoft.com/marketplace/2015/08/claims/key/';
const clientId = '0F8FAD5B-D9CB-469F-A165-70867728950E';
const now = Date.parse('2026-11-22T06:35:00Z');
const day = 24 * 3600;
const iat = now / 1000;
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claimsOf = (kind: KeyKind, over: object = {}) => ({
  [`${prefix}clientId`]: clientId.toLowerCase(),
  [`${prefix}payload`]: 'p',
  [`${prefix}userId`]: 'u1',
  [`${prefix}refreshUri`]: 'https://evil.example/renew',
  iat,
  nbf: iat,
  exp: iat + 30 * day,
  iss: `https://${kind}.mp.microsoft.com/v6.0/keys`,
  aud: `https://${kind}.mp.microsoft.com/v6.0/keys`,
  ...over,
});
const keyOf = (over: object = {}, kind: KeyKind = 'collections', head: object = { alg: 'RS256', typ: 'JWT' }) =>
  `${encode(head)}.${encode(claimsOf(kind, over))}.c2ln`;
const rules = { kind: 'collections', clientId, publisherUserId: 'u1', now } as const;

function codeOf(key: string, over: object = {}): string {
  try {
    decodeStoreId(key, { ...rules, ...over });
    return 'accepted';
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    if (key.length > 20) expect(fault.message).not.toContain(key.slice(0, 20));
    return fault.code;
  }
}

test('a key is decoded, whatever the case of the client id', () => {
  expect(decodeStoreId(keyOf(), rules)).toEqual({ issuedAt: now, expiresAt: now + 30 * day * 1000 });
});

test.each([
  ['not a JWT', 'abc', 'invalid_store_id'],
  ['empty', '', 'invalid_store_id'],
  ['two segments', keyOf().split('.').slice(0, 2).join('.'), 'invalid_store_id'],
  ['four segments', `${keyOf()}.x`, 'invalid_store_id'],
  ['no signature', `${encode({ alg: 'RS256' })}.${encode(claimsOf('collections'))}.`, 'invalid_store_id'],
  ['alg none', keyOf({}, 'collections', { alg: 'none' }), 'invalid_store_id'],
  ['alg HS256', keyOf({}, 'collections', { alg: 'HS256' }), 'invalid_store_id'],
  ['the other kind', keyOf({}, 'purchase'), 'invalid_store_id'],
  [
    'a foreign audience',
    keyOf({ aud: 'https://collections.mp.microsoft.com.evil.example/v6.0/keys' }),
    'invalid_store_id',
  ],
  ['no audience', keyOf({ aud: undefined }), 'invalid_store_id'],
  ['no iat', keyOf({ iat: undefined }), 'invalid_store_id'],
  ['iat as text', keyOf({ iat: '5' }), 'invalid_store_id'],
  ['no exp', keyOf({ exp: undefined }), 'invalid_store_id'],
  ['exp beyond any date', keyOf({ exp: 1e300 }), 'invalid_store_id'],
  ['no client', keyOf({ [`${prefix}clientId`]: undefined }), 'invalid_store_id'],
  ['issued 6 minutes ahead', keyOf({ iat: iat + 360 }), 'invalid_store_id'],
  ['issued 4 minutes ahead', keyOf({ iat: iat + 240 }), 'accepted'],
  ['over 16 KiB', keyOf({ [`${prefix}payload`]: 'x'.repeat(16 * 1024) }), 'invalid_store_id'],
  ['another client', keyOf({ [`${prefix}clientId`]: 'other' }), 'wrong_client'],
  ['another user', keyOf({ [`${prefix}userId`]: 'u2' }), 'user_mismatch'],
  ['another case of the user', keyOf({ [`${prefix}userId`]: 'U1' }), 'user_mismatch'],
  ['no user', keyOf({ [`${prefix}userId`]: undefined }), 'accepted'],
  ['no user provided', keyOf({ [`${prefix}userId`]: 'NoUserIdProvided' }), 'accepted'],
  ['an empty user', keyOf({ [`${prefix}userId`]: '' }), 'accepted'],
])('a key with %s', (_name, key, code) => {
  expect(codeOf(key)).toBe(code);
});

test('no text breaks the decoder', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        anyText(),
        fc.json().map((text) => `${encode({ alg: 'RS256' })}.${Buffer.from(text).toString('base64url')}.c2ln`),
      ),
      (key) => {
        expect(['invalid_store_id', 'wrong_client', 'user_mismatch']).toContain(codeOf(key));
      },
    ),
  );
});

test('states of a key over its life', () => {
  const key = { issuedAt: now, expiresAt: now + 30 * day * 1000, unrenewable: false };
  expect(renewAfter(key)).toBe(now + 14 * day * 1000);
  expect(renewAfter({ issuedAt: now, expiresAt: now + 2 * day * 1000 })).toBe(now + day * 1000);
  expect(keyState(key, now + 14 * day * 1000)).toBe('fresh');
  expect(keyState(key, now + 14 * day * 1000 + 1)).toBe('due');
  expect(keyState(key, key.expiresAt - 1)).toBe('due');
  expect(keyState(key, key.expiresAt)).toBe('expired');
  expect(keyState({ ...key, unrenewable: true }, now)).toBe('unrenewable');
});
