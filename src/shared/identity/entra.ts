import { Problem } from '../contract/problems.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields, type Log } from '../lib/log.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import { withAbortTimeout } from '../lib/timeout.ts';
import { isEntraRefusal, type MintToken } from './publisherMint.ts';

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
const refreshPauseMs = 10_000;

export interface Token {
  token: string;
  /** Epoch ms. */
  expiresAt: number;
}

export interface Entra {
  /** From memory until it expires. @throws Problem store_unauthorized (Entra refuses), unavailable (not reached) */
  token(audience: Audience, log: Log): Promise<Token>;
  /** The Store refused this token: forgets it, if it is still the current one. */
  invalidate(audience: Audience, token: string): void;
  /** A new token from Entra; replaces the one in memory. */
  mint(audience: Audience, log: Log): Promise<Token>;
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
  return isEntraRefusal(cause)
    ? new Problem(
        'store_unauthorized',
        'Entra refuses the identity of this service: check tenant, client and secret.',
        { cause },
      )
    : new Problem('unavailable', 'Entra could not be reached.', { retryAfterSeconds: 5, cause });
}
