import { Problem } from '../contract/problems.ts';
import type { Clock } from '../lib/clock.ts';
import { FailureMemory } from '../lib/failureMemory.ts';
import { faultFields, type Log } from '../lib/log.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import { withAbortTimeout } from '../lib/timeout.ts';
import { type Acceptances, createAcceptances } from './acceptances.ts';
import { EntraFault, type MintToken } from './publisherMint.ts';

/** The audiences of store-api.md 1.1. The `service` token is sent to the Store alone. */
const scopes = {
  service: 'https://onestore.microsoft.com/.default',
  collections: 'https://onestore.microsoft.com/b2b/keys/create/collections/.default',
  purchase: 'https://onestore.microsoft.com/b2b/keys/create/purchase/.default',
} as const;
export type Audience = keyof typeof scopes;

const mintMs = 10_000;
/** The C# client counts a token with less time than this as expired (store-api.md 1.1); here it is used while a new one is fetched. */
const refreshEarlyMs = 5 * 60_000;
/** A token with less time than this may expire before the Store checks it. */
const unusableMs = 30_000;
/** How long a failure is answered from memory (http-api.md 2.11). */
const failureMs = 30_000;
/** The longest `Retry-After` of Entra that is kept to. */
const longestPauseMs = 10 * 60_000;
/** A younger token is not at fault when the Store refuses it. So one that was just fetched is not fetched again. */
const youngMs = 60_000;

export interface Token {
  token: string;
  /** Epoch ms. */
  expiresAt: number;
}

export interface Entra {
  /**
   * From memory until it expires. A failure is answered from memory for 30 s, or as long as Entra asks for.
   * @throws Problem store_unauthorized (Entra refuses), unavailable (not reached)
   */
  token(audience: Audience, log: Log): Promise<Token>;
  /** The token in memory, without asking Entra. */
  current(audience: Audience): string | undefined;
  /** A new token from Entra; replaces the one in memory. @throws Problem as `token` */
  mint(audience: Audience, log: Log): Promise<Token>;
  /**
   * The Store refused this token in a call that was sent at `sentAt` (epoch ms). Fetches a new one if the token can be at fault
   * (http-api.md 2.11). Until then, and if Entra gives none, the old one serves. Never fails. Whether there is another token now.
   */
  replace(audience: Audience, refused: { token: string; sentAt: number }, log: Log): Promise<boolean>;
  /** When the Store took which token. */
  acceptances: Acceptances;
}

interface HeldToken extends Token {
  mintedAt: number;
}

export function createEntra(mintToken: MintToken, clock: Clock): Entra {
  const held = new Map<Audience, HeldToken>();
  const flights = new SingleFlight<Token>();
  const failures = new FailureMemory<Problem>(clock);
  const acceptances = createAcceptances(clock);

  const mint = async (audience: Audience, log: Log): Promise<Token> => {
    const failed = failures.recall(audience);
    if (failed) throw failed.failure.withRetryAfter(Math.ceil(failed.leftMs / 1000));
    return flights.run(audience, async () => {
      try {
        const minted = await withAbortTimeout(mintMs, 'Entra', (signal) => mintToken(scopes[audience], log, signal));
        const token = { token: minted.token, expiresAt: minted.expiresOnTimestamp, mintedAt: clock.now() };
        held.set(audience, token);
        return token;
      } catch (cause) {
        const pauseMs = failurePauseMs(cause);
        const problem = entraProblem(audience, cause, log).withRetryAfter(Math.ceil(pauseMs / 1000));
        failures.remember(audience, problem, pauseMs);
        throw problem;
      }
    });
  };

  return {
    mint,
    acceptances,
    current: (audience) => held.get(audience)?.token,
    async replace(audience, { token: refused, sentAt }, log) {
      const known = held.get(audience);
      const now = clock.now();
      const isSuspect =
        known?.token === refused && now - known.mintedAt >= youngMs && !acceptances.ofToken(refused, sentAt);
      // A failure is logged where it happens, and remembered: the next attempt is 30 s later.
      if (isSuspect) await mint(audience, log).catch(() => undefined);
      const current = held.get(audience);
      return current !== undefined && current.token !== refused;
    },
    async token(audience, log) {
      const known = held.get(audience);
      const now = clock.now();
      if (!known || now >= known.expiresAt - unusableMs) return mint(audience, log);
      if (now >= known.expiresAt - refreshEarlyMs && !failures.recall(audience)) {
        const expiresAt = new Date(known.expiresAt).toISOString();
        mint(audience, log).catch(() => log('warn', 'entra.refreshFailed', { audience, expiresAt }));
      }
      return known;
    },
  };
}

function failurePauseMs(cause: unknown): number {
  const asked = cause instanceof EntraFault ? (cause.retryAfterSeconds ?? 0) * 1000 : 0;
  return Math.max(failureMs, Math.min(asked, longestPauseMs));
}

function entraProblem(audience: Audience, cause: unknown, log: Log): Problem {
  if (cause instanceof Problem) return cause;
  const reason = cause instanceof EntraFault ? cause.reason : 'unreachable';
  log('warn', 'entra.failed', { audience, reason, ...faultFields(cause) });
  switch (reason) {
    case 'unknownTenant':
      return new Problem(
        'store_unauthorized',
        `Entra refuses a token for the ${audience} audience: it knows no such tenant. Correct the setting ENTRA_TENANT_ID.`,
        { cause },
      );
    case 'refused':
      return new Problem(
        'store_unauthorized',
        `Entra refuses a token for the ${audience} audience: check ENTRA_TENANT_ID, ENTRA_CLIENT_ID, and the client secret or the federated identity.`,
        { cause },
      );
    case 'throttled':
      return new Problem(
        'unavailable',
        `Entra limits the rate of tokens for the ${audience} audience. Send the same request again after the seconds of Retry-After.`,
        { cause },
      );
    case 'unreachable':
      return new Problem(
        'unavailable',
        `Entra gave no token for the ${audience} audience: it, or the managed identity of this service, could not be reached. Send the same request again after the seconds of Retry-After.`,
        { cause },
      );
  }
}
