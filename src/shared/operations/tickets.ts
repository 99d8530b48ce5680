import type { ServiceTickets } from '../contract/operations.ts';
import type { Entra, Token } from '../identity/entra.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';

/** A ticket with less time than this may expire before the game client has made its keys (store-api.md 1.1). */
const leastLifeMs = 5 * 60_000;

/** The two tokens with which a game client makes its keys (http-api.md 2.9). The service token is never among them. */
export function createServiceTickets(entra: Entra, clock: Clock): (call: CallContext) => Promise<ServiceTickets> {
  const longLived = async (call: CallContext, audience: 'collections' | 'purchase'): Promise<Token> => {
    const known = await entra.token(audience, call.log);
    if (known.expiresAt - clock.now() >= leastLifeMs) return known;
    // While Entra cannot be reached, a short ticket is better than none.
    return entra.mint(audience, call.log).catch(() => known);
  };
  return async (call) => {
    const [collections, purchase] = await Promise.all([longLived(call, 'collections'), longLived(call, 'purchase')]);
    return { collections: ticket(collections), purchase: ticket(purchase) };
  };
}

function ticket({ token, expiresAt }: Token): { token: string; expiresAt: string } {
  return { token, expiresAt: new Date(expiresAt).toISOString() };
}
