import type { TokenCredential } from '@azure/identity';
import { withAbortTimeout } from '../lib/timeout.ts';
import { createSecretClient, vaultScope } from './vaultClient.ts';

/** A secret that need not exist: whoever checks the health of the service needs no right on any secret. */
const probedSecret = 'health-probe';
/** The secret exists, may not be read, or does not exist: each is the vault's answer to an identity that it knows. */
const answered = new Set([200, 403, 404]);
const probeMs = 10_000;

/** Whether the app's own identity gets a token. @throws Error if not */
export async function probeIdentity(vaultUri: string, credential: TokenCredential): Promise<void> {
  await withAbortTimeout(probeMs, 'the own identity', async (abortSignal) => {
    const token = await credential.getToken(vaultScope(vaultUri), { abortSignal });
    if (!token) throw new Error('there is no token');
  });
}

/** Whether the vault answers the app's own identity. @throws Error if not */
export async function probeVault(vaultUri: string, credential: TokenCredential): Promise<void> {
  const client = createSecretClient(vaultUri, credential);
  await withAbortTimeout(probeMs, 'Key Vault', async (abortSignal) => {
    try {
      await client.getSecret(probedSecret, { abortSignal });
    } catch (fault) {
      const status = fault instanceof Error && 'statusCode' in fault ? Number(fault.statusCode) : 0;
      if (!answered.has(status)) throw fault;
    }
  });
}
