import { randomBytes } from 'node:crypto';
import { AuthenticationRequiredError } from '@azure/identity';
import { expect, test } from 'vitest';
import { keyCipher } from '../../../src/shared/identity/cipher.ts';
import { cachedEntra } from '../../../src/shared/identity/entra.ts';
import { cachedSecrets, type SecretVersion } from '../../../src/shared/identity/secrets.ts';
import { nextStep } from '../../../src/shared/store/authorize.ts';
import { testCall, testClock } from '../../support/call.ts';

const minute = 60_000;

function entraAt(clock = testClock()) {
  const minted: string[] = [];
  const faults: unknown[] = [];
  const entra = cachedEntra(async (scope) => {
    minted.push(scope);
    const count = minted.length;
    await Promise.resolve();
    const fault = faults.shift();
    if (fault) throw fault;
    return { token: `t${count}`, expiresOnTimestamp: clock.now() + 60 * minute };
  }, clock);
  return { entra, clock, minted, faults, log: testCall().log };
}

test('fifty at once: one token each audience', async () => {
  const { entra, minted, log } = entraAt();
  const tokens = await Promise.all(Array.from({ length: 50 }, () => entra.token('service', log)));
  expect(new Set(tokens.map(({ token }) => token))).toEqual(new Set(['t1']));
  await entra.token('purchase', log);
  expect(minted).toEqual([
    'https://onestore.microsoft.com/.default',
    'https://onestore.microsoft.com/b2b/keys/create/purchase/.default',
  ]);
});

test('a token with under 5 minutes left serves on while a new one is had once', async () => {
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

test('a failed early refresh is no failure, and not repeated with each request', async () => {
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

test('a refused token is forgotten, its successor is not', async () => {
  const { entra, log } = entraAt();
  const { token } = await entra.token('service', log);
  entra.invalidate('service', token);
  expect((await entra.token('service', log)).token).toBe('t2');
  entra.invalidate('service', token);
  expect((await entra.token('service', log)).token).toBe('t2');
});

test('Entra that refuses and Entra that is away are told apart', async () => {
  const { entra, faults, log } = entraAt();
  const said = (message: string) => new AuthenticationRequiredError({ scopes: [], message });
  faults.push(said('invalid_client: Error(s): 7000215 - Description: AADSTS7000215: Invalid client secret provided.'));
  await expect(entra.token('service', log)).rejects.toMatchObject({ code: 'store_unauthorized' });
  faults.push(said('temporarily_unavailable: Error(s): 90033 - Description: AADSTS90033: A transient error.'));
  await expect(entra.token('service', log)).rejects.toMatchObject({ code: 'unavailable' });
  faults.push(new Error('ECONNREFUSED'));
  await expect(entra.token('service', log)).rejects.toMatchObject({ code: 'unavailable' });
});

function vault(clock = testClock()) {
  const versions = new Map<string, SecretVersion[]>();
  const reads: string[] = [];
  const state = { down: false };
  const secrets = cachedSecrets(async (name, version) => {
    reads.push(`${name}/${version ?? ''}`);
    await Promise.resolve();
    const found = versions
      .get(name)
      ?.filter((one) => version === undefined || one.version === version)
      .at(-1);
    if (state.down || !found) throw new Error('down');
    return found;
  }, clock);
  const put = (name: string, value: string) => {
    const list = versions.get(name) ?? [];
    versions.set(name, [...list, { value, version: `v${list.length + 1}` }]);
  };
  return { secrets, put, reads, state, clock, log: testCall().log };
}

test('a secret is read once in 10 minutes, by however many', async () => {
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

test('a vault that is down: what is known serves, what is not is unavailable', async () => {
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

test('keys at rest: sealed for one owner, readable over rotations, each time with another nonce', async () => {
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

test('after a refused identity: a new service token, then a new key, each once', () => {
  const none = { newToken: false, newKey: false };
  expect(nextStep('open', none)).toBe('newToken');
  expect(nextStep('open', { newToken: true, newKey: false })).toBe('newKey');
  expect(nextStep('open', { newToken: true, newKey: true })).toBe('none');
  expect(nextStep('key', none)).toBe('newKey');
  expect(nextStep('key', { newToken: false, newKey: true })).toBe('none');
  expect(nextStep('service', { newToken: true, newKey: false })).toBe('none');
});
