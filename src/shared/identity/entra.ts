import {
  type AccessToken,
  AuthenticationRequiredError,
  ClientAssertionCredential,
  ClientSecretCredential,
  ManagedIdentityCredential,
} from '@azure/identity';
import type { Settings } from '../config.ts';
import { Problem } from '../contract/problems.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields, type Log } from '../lib/log.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import { withAbortTimeout } from '../lib/timeout.ts';
import type { Secrets } from './secrets.ts';

/** The audiences of store-api.md 1.1. `service` never leaves this process but to the Store. */
const scopes = {
  service: 'https://onestore.microsoft.com/.default',
  collections: 'https://onestore.microsoft.com/b2b/keys/create/collections/.default',
  purchase: 'https://onestore.microsoft.com/b2b/keys/create/purchase/.default',
} as const;
export type Audience = keyof typeof scopes;

const assertionScope = 'api://AzureADTokenExchange/.default';
const mintMs = 10_000;
/** The C# client counts a token with less time than this as expired (store-api.md 1.1); here it serves while a new one is fetched. */
const refreshEarlyMs = 5 * 60_000;
/** A token with less time than this may expire before the Store checks it. */
const unusableMs = 30_000;
const refreshPauseMs = 10_000;

export interface Token {
  token: string;
  /** Epoch ms. */
  expiresAt: number;
}

export interface Entra {
  /** From memory while it lasts. @throws Problem store_unauthorized (Entra refuses), unavailable (not reached) */
  token(audience: Audience, log: Log): Promise<Token>;
  /** The Store refused this token: forgets it, if it is still the current one. */
  invalidate(audience: Audience, token: string): void;
  /** A new token from Entra; replaces the one in memory. */
  mint(audience: Audience, log: Log): Promise<Token>;
}

/** Asks Entra for one token of the publisher's app. */
export type MintToken = (scope: string, log: Log, signal: AbortSignal) => Promise<AccessToken>;

/** The publisher's app by federated managed identity, or by the secret in Key Vault, read again when Entra refuses it. */
export function createPublisherMint(settings: Settings['entra'], secrets: Secrets, options: object = {}): MintToken {
  const { tenantId, clientId, clientSecretName, managedIdentityClientId } = settings;
  const credentialOptions = {
    authorityHost: settings.authorityHost,
    disableInstanceDiscovery: !settings.instanceDiscovery,
    retryOptions: { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 1000 },
    ...options,
  };
  if (managedIdentityClientId !== undefined) {
    const managed = new ManagedIdentityCredential({ clientId: managedIdentityClientId });
    return (scope, _log, signal) => {
      const assertion = async () => (await managed.getToken(assertionScope, { abortSignal: signal })).token;
      // A new credential each time: this class keeps tokens in memory, and a token that the Store refused must not come back.
      return new ClientAssertionCredential(tenantId, clientId, assertion, credentialOptions).getToken(scope, {
        abortSignal: signal,
      });
    };
  }
  const withSecret = (scope: string, secret: string, signal: AbortSignal) =>
    new ClientSecretCredential(tenantId, clientId, secret, credentialOptions).getToken(scope, { abortSignal: signal });
  return async (scope, log, signal) => {
    const known = await secrets.newest(clientSecretName, log);
    try {
      return await withSecret(scope, known.value, signal);
    } catch (fault) {
      if (!isRefusal(fault)) throw fault;
      const current = await secrets.reread(clientSecretName, log);
      if (current.version === known.version) throw fault;
      return await withSecret(scope, current.value, signal);
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
function isRefusal(fault: unknown): boolean {
  return fault instanceof AuthenticationRequiredError && refusals.test(fault.message);
}

export function createEntra(mintToken: MintToken, clock: Clock): Entra {
  const current = new Map<Audience, Token & { refreshAfter: number }>();
  const flights = new SingleFlight<Token>();

  const mint = (audience: Audience, log: Log): Promise<Token> =>
    flights.run(audience, async () => {
      try {
        const minted = await withAbortTimeout(mintMs, 'Entra', (signal) => mintToken(scopes[audience], log, signal));
        const token = { token: minted.token, expiresAt: minted.expiresOnTimestamp };
        current.set(audience, { ...token, refreshAfter: token.expiresAt - refreshEarlyMs });
        return token;
      } catch (cause) {
        throw entraProblem(audience, cause, log);
      }
    });

  return {
    mint,
    invalidate(audience, token) {
      if (current.get(audience)?.token === token) current.delete(audience);
    },
    async token(audience, log) {
      const known = current.get(audience);
      const now = clock.now();
      if (!known || now >= known.expiresAt - unusableMs) return mint(audience, log);
      if (now >= known.refreshAfter) {
        known.refreshAfter = now + refreshPauseMs;
        mint(audience, log).catch(() => log('warn', 'entra.refreshFailed', { audience, expiresAt: known.expiresAt }));
      }
      return known;
    },
  };
}

function entraProblem(audience: Audience, cause: unknown, log: Log): Problem {
  if (cause instanceof Problem) return cause;
  log('warn', 'entra.failed', { audience, ...faultFields(cause) });
  return isRefusal(cause)
    ? new Problem(
        'store_unauthorized',
        'Entra refuses the identity of this service: check tenant, client and secret.',
        { cause },
      )
    : new Problem('unavailable', 'Entra could not be reached.', { retryAfterSeconds: 5, cause });
}
