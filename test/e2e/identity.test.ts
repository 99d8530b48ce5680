/** What a bad key, a bad secret, or an Entra, vault or Store that fails costs those who have nothing to do with it (http-api.md 2.11). */
import { beforeAll, expect, test } from 'vitest';
import { movableClock, moveClock } from '../support/hostClock.ts';
import { type Answer, asked, expectProblem, keysOf, query, register, sell, stack, useStack } from './harness.ts';

useStack({ settings: movableClock });
beforeAll(() => stack.entra.setTokenLifetime(7 * 24 * 3600));

const second = 1000;
const minute = 60 * second;
const wait = (ms: number): Promise<void> => moveClock(stack, ms);
const byKey = (collectionsId: string): Promise<Answer> => query({ collectionsId, products: ['A'] });
const goodKey = (): string => keysOf('honest').collectionsId;

/** A key that nothing but its signature is wrong with. */
function forgedKey(): string {
  const [head, body] = keysOf('forger').collectionsId.split('.');
  return `${head}.${body}.${Buffer.from('forged').toString('base64url')}`;
}

const minted = (): number => stack.entra.state.tokenRequests;

test('whose fault a refusal is, is judged by what the Store took lately', async () => {
  expectProblem(await byKey(forgedKey()), 502, 'store_unauthorized');
  expect((await byKey(goodKey())).status).toBe(200);
  expectProblem(await byKey(forgedKey()), 409, 'store_id_expired');
  await wait(11 * minute);
  expectProblem(await byKey(forgedKey()), 502, 'store_unauthorized');
});

test('forged keys cause one mint at most, and honest queries go on while Entra throttles', async () => {
  await byKey(goodKey());
  await wait(2 * minute);
  stack.entra.faults.add({ status: 429, headers: { 'retry-after': '60' }, times: null });
  const before = minted();
  const forgers = Array.from({ length: 4 }, async () => {
    for (let round = 0; round < 10; round += 1) await byKey(forgedKey());
  });
  const honest = Array.from({ length: 40 }, async () => (await byKey(goodKey())).status);
  expect(new Set(await Promise.all(honest))).toEqual(new Set([200]));
  await Promise.all(forgers);
  stack.entra.faults.clear();
  for (let round = 0; round < 4; round += 1) await byKey(forgedKey());
  expect(minted() - before).toBe(0);
  await wait(61 * second);
  await Promise.all(Array.from({ length: 4 }, () => byKey(forgedKey())));
  expect(minted() - before).toBe(1);
});

test('a token that is at fault is replaced', async () => {
  await byKey(goodKey());
  await wait(2 * minute);
  const before = minted();
  const fault = { operation: 'publisherQuery', status: 401 } as const;
  const body = { code: 'Unauthorized', innererror: { code: 'partnerAadTicketRequired' } };
  stack.store.control.addFault({ ...fault, body });
  expect((await byKey(goodKey())).status).toBe(200);
  expect(minted() - before).toBe(1);
});

test('an expired client secret: asked of Entra and the vault once in 30 s, and found again within them', async () => {
  const { clientId } = stack.identities.publisher;
  stack.keyVault.setSecret('entra-client-secret', 'expired-secret-expired-secret');
  await stack.restartHost();
  const before = { minted: minted(), reads: stack.keyVault.state.requests };
  for (let round = 0; round < 10; round += 1) {
    const answer = await byKey(goodKey());
    expectProblem(answer, 502, 'store_unauthorized');
    expect(answer.body.detail).toContain('service audience');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  expect(asked('publisherQuery')).toBe(0);
  // Two tokens: the app's own for the vault, and the one that is refused. Three reads: the challenge, the secret, the secret again.
  expect(minted() - before.minted).toBe(2);
  expect(stack.keyVault.state.requests - before.reads).toBe(3);
  stack.keyVault.setSecret('entra-client-secret', 'second-secret-second-secret');
  stack.entra.setSecrets(clientId, ['second-secret-second-secret']);
  await wait(30 * second);
  expect((await byKey(goodKey())).status).toBe(200);
});

test('a vault that fails is asked once in 30 s', async () => {
  await stack.restartHost();
  stack.keyVault.faults.add({ status: 500, times: null });
  const before = stack.keyVault.state.requests;
  expectProblem(await byKey(goodKey()), 503, 'unavailable');
  const first = stack.keyVault.state.requests - before;
  for (let round = 0; round < 5; round += 1) expectProblem(await byKey(goodKey()), 503, 'unavailable');
  expect(stack.keyVault.state.requests - before).toBe(first);
  stack.keyVault.faults.clear();
  await wait(30 * second);
  expect((await byKey(goodKey())).status).toBe(200);
});

test('a wrong tenant is named as such', async () => {
  const { ENTRA_TENANT_ID: right = '' } = stack.settings;
  stack.settings.ENTRA_TENANT_ID = 'no-such-tenant';
  await stack.restartHost();
  const answer = await byKey(goodKey());
  stack.settings.ENTRA_TENANT_ID = right;
  await stack.restartHost();
  expectProblem(answer, 502, 'store_unauthorized');
  expect(answer.body.detail).toMatch(/no such tenant.*ENTRA_TENANT_ID/);
});

test('a failure that the Store names as its own is store_unavailable, and no key is renewed for it', async () => {
  const { collectionsId } = await register('unlucky');
  stack.store.control.revokeKeys({ key: collectionsId });
  stack.store.control.putSettings({ badKeyStyle: 'InternalAadAuthenticationError' });
  const answer = await query({ userId: 'unlucky', products: ['A'] });
  expectProblem(answer, 503, 'store_unavailable');
  expect(answer.headers.get('retry-after')).not.toBeNull();
  expect(asked('renew')).toBe(0);
  stack.store.control.putSettings({ badKeyStyle: 'AuthenticationFailure' });
  expectProblem(await query({ userId: 'unlucky', products: ['A'] }), 409, 'store_id_expired');
});

test('a renewed key is read from either spelling of its member', async () => {
  const issuedAt = new Date(Date.now() - 20 * 24 * 60 * minute).toISOString();
  await register('spelled', { issuedAt });
  sell('spelled', 'SWORD');
  stack.store.control.putSettings({ renewedKeyMember: 'Key' });
  expect((await query({ userId: 'spelled', products: ['SWORD'] })).body.items).toHaveLength(1);
  expect((await query({ userId: 'spelled', products: ['SWORD'] })).status).toBe(200);
  expect(asked('renew')).toBe(1);
});
