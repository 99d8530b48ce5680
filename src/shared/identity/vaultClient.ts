import type { TokenCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { endLongPauses } from './pauses.ts';

/** The longest `Retry-After` that is waited for, in seconds. */
const longestPauseSeconds = 1;

const publicVault = /\.(vault\.(?:azure\.net|azure\.cn|usgovcloudapi\.net))$/;

export function createSecretClient(vaultUri: string, credential: TokenCredential, options: object = {}): SecretClient {
  return new SecretClient(vaultUri, credential, {
    // Outside the public clouds there is no known domain to verify the challenge with.
    disableChallengeResourceVerification: !publicVault.test(new URL(vaultUri).hostname),
    retryOptions: { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 1000 },
    additionalPolicies: [endLongPauses('Key Vault', longestPauseSeconds)],
    ...options,
  });
}

/** The scope of a token for this vault, in whichever cloud it is. */
export function vaultScope(vaultUri: string): string {
  const [, domain = 'vault.azure.net'] = publicVault.exec(new URL(vaultUri).hostname) ?? [];
  return `https://${domain}/.default`;
}
