import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RunningEntra, startEntra, storeAudiences } from '../../../local/emulators/entra.ts';
import { createLocalTls, type LocalTls } from '../../../local/tls.ts';
import { createPublisherMint } from '../../../src/shared/identity/publisherMint.ts';
import { testCall } from '../../support/call.ts';
import { vault } from './vault.ts';

const scope = 'https://onestore.microsoft.com/.default';
let tls: LocalTls;
let entra: RunningEntra;

beforeAll(async () => {
  tls = await createLocalTls();
  const apps = [{ clientId: 'c', secrets: ['the secret'], audiences: storeAudiences }];
  entra = await startEntra({ tls, tenantId: 'tenant', apps });
});
afterAll(() => entra.close());
beforeEach(() => entra.faults.clear());

/** The identity library itself, towards the emulator of Entra. */
function minting(over: { tenantId?: string; secret?: string } = {}) {
  const { tenantId = 'tenant', secret = 'the secret' } = over;
  const kept = vault();
  kept.put('s', secret);
  const settings = {
    tenantId,
    clientId: 'c',
    managedIdentityClientId: undefined,
    clientSecretName: 's',
    authorityHost: entra.url,
    instanceDiscovery: false,
  };
  const mintToken = createPublisherMint(settings, kept.secrets, { tlsOptions: { ca: tls.cert } });
  const mint = () => mintToken(scope, testCall().log, new AbortController().signal);
  return { mint, ...kept };
}

test('a token; after a rotation the secret is read again', async () => {
  const { mint, put, reads } = minting();
  expect((await mint()).token).toBe(entra.issued.at(-1));
  put('s', 'the second secret');
  entra.setSecrets('c', ['the second secret']);
  expect((await mint()).token).toBe(entra.issued.at(-1));
  expect(reads).toEqual(['s/', 's/']);
  entra.setSecrets('c', ['the secret']);
});

test('a wrong secret is a refusal, after one more read of the secret', async () => {
  const { mint, reads } = minting({ secret: 'wrong' });
  await expect(mint()).rejects.toMatchObject({ reason: 'refused', retryAfterSeconds: null });
  expect(reads).toEqual(['s/', 's/']);
});

test('an unknown tenant is told from an outage, which looks the same to the library', async () => {
  await expect(minting({ tenantId: 'other' }).mint()).rejects.toMatchObject({ reason: 'unknownTenant' });
  entra.faults.add({ status: 500, times: null });
  await expect(minting().mint()).rejects.toMatchObject({ reason: 'unreachable', retryAfterSeconds: null });
});

test('Entra that throttles says for how long, and is not waited for', async () => {
  entra.faults.add({ status: 429, headers: { 'retry-after': '60' }, times: null });
  const before = Date.now();
  await expect(minting().mint()).rejects.toMatchObject({ reason: 'throttled', retryAfterSeconds: 60 });
  expect(Date.now() - before).toBeLessThan(5000);
});
