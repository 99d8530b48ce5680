import type { AccessToken } from '@azure/identity';
import type { Settings } from '../config.ts';
import type { Log } from '../lib/log.ts';
import { onceAsync } from '../lib/once.ts';
import type { Secrets } from './secrets.ts';

const assertionScope = 'api://AzureADTokenExchange/.default';

/** Asks Entra for one token of the publisher's app. */
export type MintToken = (scope: string, log: Log, signal: AbortSignal) => Promise<AccessToken>;

/** The publisher's app by a federated managed identity, or by the secret in Key Vault. */
export function createPublisherMint(settings: Settings['entra'], secrets: Secrets, options: object = {}): MintToken {
  const { managedIdentityClientId } = settings;
  const credentialOptions = {
    authorityHost: settings.authorityHost,
    disableInstanceDiscovery: !settings.instanceDiscovery,
    retryOptions: { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 1000 },
    ...options,
  };
  return managedIdentityClientId === undefined
    ? createSecretMint(settings, secrets, credentialOptions)
    : createFederatedMint(settings, managedIdentityClientId, credentialOptions);
}

const identityLibrary = () => import('./azureIdentity.ts');

function createFederatedMint(
  { tenantId, clientId }: Settings['entra'],
  managedIdentityClientId: string,
  options: object,
): MintToken {
  const managedIdentity = onceAsync(async () => {
    const { ManagedIdentityCredential } = await identityLibrary();
    return new ManagedIdentityCredential({ clientId: managedIdentityClientId });
  });
  return async (scope, _log, abortSignal) => {
    const { ClientAssertionCredential } = await identityLibrary();
    const managed = await managedIdentity();
    const assertion = async () => (await managed.getToken(assertionScope, { abortSignal })).token;
    // A new credential each time: this class keeps tokens in memory, and a token that the Store refused must not come back.
    return new ClientAssertionCredential(tenantId, clientId, assertion, options).getToken(scope, { abortSignal });
  };
}

/** A secret that Entra refuses is read again: it may have been rotated. */
function createSecretMint(
  { tenantId, clientId, clientSecretName }: Settings['entra'],
  secrets: Secrets,
  options: object,
): MintToken {
  const mint = async (scope: string, secret: string, abortSignal: AbortSignal) => {
    const { ClientSecretCredential } = await identityLibrary();
    return new ClientSecretCredential(tenantId, clientId, secret, options).getToken(scope, { abortSignal });
  };
  return async (scope, log, signal) => {
    const known = await secrets.newest(clientSecretName, log);
    try {
      return await mint(scope, known.value, signal);
    } catch (fault) {
      if (!isEntraRefusal(fault)) throw fault;
      const current = await secrets.reread(clientSecretName, log);
      if (current.version === known.version) throw fault;
      return await mint(scope, current.value, signal);
    }
  };
}

/** The error codes of a refusal (RFC 6749 5.2, and Entra's own). */
const refusals =
  /^(invalid_(client|grant|request|resource|scope|tenant)|unauthorized_client|unsupported_grant_type|access_denied|interaction_required)\b/;

/**
 * Whether Entra refused, as opposed to not answering. The library keeps only the text of the answer, which begins with the OAuth
 * error. An unknown tenant looks like an outage to it: the tenant's metadata cannot be read.
 */
export function isEntraRefusal(fault: unknown): boolean {
  return fault instanceof Error && fault.name === 'AuthenticationRequiredError' && refusals.test(fault.message);
}
