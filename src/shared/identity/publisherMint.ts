import type { AccessToken } from '@azure/identity';
import type { Settings } from '../config.ts';
import { Problem } from '../contract/problems.ts';
import type { Log } from '../lib/log.ts';
import { onceAsync } from '../lib/once.ts';
import { type EntraAnswer, type RequestPolicy, watchAnswers } from './entraAnswers.ts';
import type { Secrets } from './secrets.ts';

const assertionScope = 'api://AzureADTokenExchange/.default';

/** Asks Entra for one token of the publisher's app. @throws EntraFault; Problem of the secret */
export type MintToken = (scope: string, log: Log, signal: AbortSignal) => Promise<AccessToken>;

/** Entra gave no token, and why. The cause is the identity library's error. */
export class EntraFault extends Error {
  override readonly name = 'EntraFault';
  readonly reason: 'refused' | 'unknownTenant' | 'throttled' | 'unreachable';
  /** What Entra asks for. */
  readonly retryAfterSeconds: number | null;

  constructor(reason: EntraFault['reason'], retryAfterSeconds: number | null, cause: unknown) {
    super(`Entra: ${reason}`, { cause });
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** One request for a token; the policy watches it. */
type AskEntra = (policies: RequestPolicy[]) => Promise<AccessToken>;

/** The publisher's app by a federated managed identity, or by the secret in Key Vault. */
export function createPublisherMint(settings: Settings['entra'], secrets: Secrets, options: object = {}): MintToken {
  const { managedIdentityClientId } = settings;
  const optionsWith = (additionalPolicies: RequestPolicy[]) => ({
    authorityHost: settings.authorityHost,
    disableInstanceDiscovery: !settings.instanceDiscovery,
    retryOptions: { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 1000 },
    additionalPolicies,
    ...options,
  });
  return managedIdentityClientId === undefined
    ? createSecretMint(settings, secrets, optionsWith)
    : createFederatedMint(settings, managedIdentityClientId, optionsWith);
}

type OptionsWith = (policies: RequestPolicy[]) => object;

const identityLibrary = () => import('./azureIdentity.ts');

function createFederatedMint(
  { tenantId, clientId }: Settings['entra'],
  managedIdentityClientId: string,
  optionsWith: OptionsWith,
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
    return askEntra((policies) =>
      new ClientAssertionCredential(tenantId, clientId, assertion, optionsWith(policies)).getToken(scope, {
        abortSignal,
      }),
    );
  };
}

/** A secret that Entra refuses is read again: it may have been rotated. */
function createSecretMint(
  { tenantId, clientId, clientSecretName }: Settings['entra'],
  secrets: Secrets,
  optionsWith: OptionsWith,
): MintToken {
  const mint = async (scope: string, secret: string, abortSignal: AbortSignal) => {
    const { ClientSecretCredential } = await identityLibrary();
    return askEntra((policies) =>
      new ClientSecretCredential(tenantId, clientId, secret, optionsWith(policies)).getToken(scope, { abortSignal }),
    );
  };
  return async (scope, log, signal) => {
    const known = await secrets.newest(clientSecretName, log);
    try {
      return await mint(scope, known.value, signal);
    } catch (fault) {
      if (!(fault instanceof EntraFault && fault.reason === 'refused')) throw fault;
      const current = await secrets.reread(clientSecretName, log);
      if (current.version === known.version) throw fault;
      return await mint(scope, current.value, signal);
    }
  };
}

/** @throws EntraFault */
async function askEntra(ask: AskEntra): Promise<AccessToken> {
  const { policy, last } = watchAnswers();
  try {
    return await ask([policy]);
  } catch (fault) {
    if (fault instanceof Problem) throw fault;
    throw new EntraFault(reasonOf(fault, last()), last()?.retryAfterSeconds ?? null, fault);
  }
}

/** The error codes of a refusal (RFC 6749 5.2, and Entra's own). */
const refusals =
  /^(invalid_(client|grant|request|resource|scope|tenant)|unauthorized_client|unsupported_grant_type|access_denied|interaction_required)\b/;

/**
 * Why there is no token. The library keeps only the text of a refusal, which begins with the OAuth error; an unknown tenant and a
 * throttled request look like an outage to it, so what Entra answered counts first.
 */
export function reasonOf(fault: unknown, answer: EntraAnswer | undefined): EntraFault['reason'] {
  if (answer?.unknownTenant) return 'unknownTenant';
  if (answer?.status === 429 || (answer?.status === 503 && answer.retryAfterSeconds !== null)) return 'throttled';
  const isRefusal =
    fault instanceof Error && fault.name === 'AuthenticationRequiredError' && refusals.test(fault.message);
  return isRefusal ? 'refused' : 'unreachable';
}
