import type { TokenCredential } from '@azure/identity';
import type { KeyVaultSecret } from '@azure/keyvault-secrets';
import { Problem } from '../contract/problems.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields, type Log } from '../lib/log.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import { withAbortTimeout } from '../lib/timeout.ts';
import { createSecretClient } from './vaultClient.ts';

/** A rotated secret is in use after this time at the latest. */
const cacheMs = 10 * 60_000;
/** After a failed refresh the known value is used for this long before the vault is asked again. */
const retryMs = 30_000;
const readMs = 10_000;

export interface SecretVersion {
  value: string;
  version: string;
}

export interface Secrets {
  /** The newest version; from memory for 10 minutes, longer while Key Vault cannot be reached. @throws Problem unavailable */
  newest(name: string, log: Log): Promise<SecretVersion>;
  /** One version, which never changes. @throws Problem unavailable */
  version(name: string, version: string, log: Log): Promise<SecretVersion>;
  /** The newest version, asked of Key Vault now. @throws Problem unavailable */
  reread(name: string, log: Log): Promise<SecretVersion>;
}

/** Reads one secret; without a version the newest. */
export type ReadSecret = (name: string, version: string | undefined, signal: AbortSignal) => Promise<SecretVersion>;

export function createKeyVaultReader(vaultUri: string, credential: TokenCredential, options: object = {}): ReadSecret {
  const client = createSecretClient(vaultUri, credential, options);
  return async (name, version, signal) => {
    const secret: KeyVaultSecret = await client.getSecret(name, { ...(version && { version }), abortSignal: signal });
    if (secret.value === undefined || secret.properties.version === undefined)
      throw new Error('the secret has no value');
    return { value: secret.value, version: secret.properties.version };
  };
}

export function createSecrets(read: ReadSecret, clock: Clock): Secrets {
  const newest = new Map<string, SecretVersion & { staleAt: number }>();
  const versions = new Map<string, SecretVersion>();
  const flights = new SingleFlight<SecretVersion>();

  const ask = (name: string, version: string | undefined, log: Log): Promise<SecretVersion> =>
    flights.run(`${name}/${version ?? ''}`, async () => {
      try {
        const secret = await withAbortTimeout(readMs, 'Key Vault', (signal) => read(name, version, signal));
        versions.set(`${name}/${secret.version}`, secret);
        if (version === undefined) newest.set(name, { ...secret, staleAt: clock.now() + cacheMs });
        return secret;
      } catch (cause) {
        log('warn', 'keyVault.failed', { secret: name, ...faultFields(cause) });
        throw new Problem('unavailable', `The Key Vault secret ${name} could not be read.`, {
          retryAfterSeconds: 5,
          cause,
        });
      }
    });

  return {
    reread: (name, log) => ask(name, undefined, log),
    async version(name, version, log) {
      return versions.get(`${name}/${version}`) ?? ask(name, version, log);
    },
    async newest(name, log) {
      const known = newest.get(name);
      if (!known) return ask(name, undefined, log);
      if (clock.now() < known.staleAt) return known;
      try {
        return await ask(name, undefined, log);
      } catch {
        // Logged by ask. The known value is better than an outage: if it is no longer right, Entra or the cipher refuses it.
        known.staleAt = clock.now() + retryMs;
        return known;
      }
    },
  };
}
