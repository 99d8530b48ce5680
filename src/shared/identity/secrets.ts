import type { TokenCredential } from '@azure/identity';
import type { KeyVaultSecret } from '@azure/keyvault-secrets';
import { Problem } from '../contract/problems.ts';
import type { Clock } from '../lib/clock.ts';
import { FailureMemory } from '../lib/failureMemory.ts';
import { faultFields, type Log } from '../lib/log.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import { TimeoutError, withAbortTimeout, withTimeout } from '../lib/timeout.ts';
import { createSecretClient } from './vaultClient.ts';

/** A rotated secret is in use after this time at the latest. */
const cacheMs = 10 * 60_000;
/** How long a failed read is answered from memory, or the known value is used, before the vault is asked again. */
const failureMs = 30_000;
const readMs = 10_000;
/** How long a caller waits for the vault if a value is known. The read goes on, and what it brings is kept. */
const refreshMs = 2000;

export interface SecretVersion {
  value: string;
  version: string;
  /** Epoch ms, in whole seconds; 0 if the vault does not say. */
  createdOn: number;
}

/** Secrets of Key Vault. A read that failed is answered from memory for 30 s. */
export interface Secrets {
  /**
   * The newest version; from memory for 10 minutes, and longer while Key Vault gives none within 2 s.
   * @throws Problem unavailable if none is known
   */
  newest(name: string, log: Log): Promise<SecretVersion>;
  /** One version, which never changes. @throws Problem unavailable */
  version(name: string, version: string, log: Log): Promise<SecretVersion>;
  /** The newest version, asked of Key Vault now; for a value that is known and refused. @throws Problem unavailable, after 2 s at most */
  reread(name: string, log: Log): Promise<SecretVersion>;
}

/** Reads one secret; without a version the newest. */
export type ReadSecret = (name: string, version: string | undefined, signal: AbortSignal) => Promise<SecretVersion>;

export function createKeyVaultReader(vaultUri: string, credential: TokenCredential, options: object = {}): ReadSecret {
  const client = createSecretClient(vaultUri, credential, options);
  return async (name, version, signal) => {
    const secret: KeyVaultSecret = await client.getSecret(name, { ...(version && { version }), abortSignal: signal });
    const { properties } = secret;
    if (secret.value === undefined || properties.version === undefined) throw new Error('the secret has no value');
    return { value: secret.value, version: properties.version, createdOn: properties.createdOn?.getTime() ?? 0 };
  };
}

export function createSecrets(read: ReadSecret, clock: Clock): Secrets {
  const newest = new Map<string, SecretVersion & { staleAt: number }>();
  const versions = new Map<string, SecretVersion>();
  const flights = new SingleFlight<SecretVersion>();
  const failures = new FailureMemory<Problem>(clock);

  const keep = (name: string, asked: string | undefined, secret: SecretVersion): void => {
    versions.set(`${name}/${secret.version}`, secret);
    const known = newest.get(name);
    if (asked === undefined) newest.set(name, { ...secret, staleAt: clock.now() + cacheMs });
    // Another instance has seen a rotation earlier: from here on this one does not go back behind it.
    else if (known && secret.createdOn > known.createdOn) newest.set(name, { ...secret, staleAt: known.staleAt });
  };

  const ask = async (name: string, version: string | undefined, log: Log): Promise<SecretVersion> => {
    const key = `${name}/${version ?? ''}`;
    const failed = failures.recall(key);
    if (failed) throw failed.failure.withRetryAfter(Math.ceil(failed.leftMs / 1000));
    return flights.run(key, async () => {
      try {
        const secret = await withAbortTimeout(readMs, 'Key Vault', (signal) => read(name, version, signal));
        keep(name, version, secret);
        return secret;
      } catch (cause) {
        log('warn', 'keyVault.failed', { secret: name, ...faultFields(cause) });
        const problem = unreadable(name, cause);
        failures.remember(key, problem, failureMs);
        throw problem;
      }
    });
  };

  /** @throws Problem unavailable, TimeoutError */
  const askBriefly = (name: string, log: Log): Promise<SecretVersion> =>
    withTimeout(refreshMs, 'Key Vault', ask(name, undefined, log));

  return {
    async reread(name, log) {
      return askBriefly(name, log).catch((fault: unknown) => {
        throw fault instanceof TimeoutError ? unreadable(name, fault) : fault;
      });
    },
    async version(name, version, log) {
      return versions.get(`${name}/${version}`) ?? ask(name, version, log);
    },
    async newest(name, log) {
      const known = newest.get(name);
      if (!known) return ask(name, undefined, log);
      if (clock.now() < known.staleAt) return known;
      try {
        return await askBriefly(name, log);
      } catch {
        // Logged by `ask`, at the latest when its own time is over. The known value is better than an outage: if it is no longer right,
        // Entra or the cipher refuses it.
        known.staleAt = clock.now() + failureMs;
        return known;
      }
    },
  };
}

function unreadable(name: string, cause: unknown): Problem {
  return new Problem(
    'unavailable',
    `The Key Vault secret ${name} could not be read: it must exist, the vault must answer, and the identity of this app must have the right to read it.`,
    { retryAfterSeconds: failureMs / 1000, cause },
  );
}
