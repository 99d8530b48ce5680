import type { ServiceTickets } from '../contract/operations.ts';
import type { Entra, Token } from '../identity/entra.ts';
import type { Call, Clock } from '../lib/callContext.ts';

/** Less does not last until a game client has made its keys: what the C# client counts as expired (store-api.md 1.1). */
const leastLifeMs = 5 * 60_000;

/** The two tokens with which a game client makes its keys (http-api.md 2.9). The service token is never among them. */
export function serviceTickets(entra: Entra, clock: Clock): (call: Call) => Promise<ServiceTickets> {
  const lasting = async (call: Call, audience: 'collections' | 'purchase'): Promise<Token> => {
    const known = await entra.token(audience, call.log);
    if (known.expiresAt - clock.now() >= leastLifeMs) return known;
    // Better than none: it serves while Entra cannot be reached.
    return entra.mint(audience, call.log).catch(() => known);
  };
  return async (call) => {
    const [collections, purchase] = await Promise.all([lasting(call, 'collections'), lasting(call, 'purchase')]);
    return { collections: ticket(collections), purchase: ticket(purchase) };
  };
}

function ticket({ token, expiresAt }: Token): { token: string; expiresAt: string } {
  return { token, expiresAt: new Date(expiresAt).toISOString() };
}
