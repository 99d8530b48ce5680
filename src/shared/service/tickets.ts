import type { Call } from '../call.ts';
import type { ServiceTickets } from '../contract/service.ts';
import type { Entra, Token } from '../identity/entra.ts';

/** The two tokens with which a game client makes its keys (http-api.md 2.9). The service token is never among them. */
export function serviceTickets(entra: Entra): (call: Call) => Promise<ServiceTickets> {
  return async (call) => {
    const [collections, purchase] = await Promise.all([
      entra.token('collections', call.log),
      entra.token('purchase', call.log),
    ]);
    return { collections: ticket(collections), purchase: ticket(purchase) };
  };
}

function ticket({ token, expiresAt }: Token): { token: string; expiresAt: string } {
  return { token, expiresAt: new Date(expiresAt).toISOString() };
}
