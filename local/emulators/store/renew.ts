/** keys/renew on each host for its kind (store-api.md 1.3). No Authorization is needed: the body carries both sides. */
import { badKey, issueKey, readKey, requireClient, requireTicket } from './auth.ts';
import { type Operation, requireString } from './operation.ts';
import type { KeyKind } from './types.ts';

export const keyLifetimeSeconds = 30 * 24 * 3600;

export function renewOperation(kind: KeyKind): Operation {
  return ({ world, verify, body }) => {
    const ticket = requireString(body, 'serviceTicket');
    // The documentation's examples send `Key`, its tables say `key`.
    const key = requireString(body, 'Key' in body ? 'Key' : 'key');
    const appid = requireTicket(world, verify, ticket);
    const old = readKey(world, kind, key);
    const iat = Math.floor(world.now() / 1000);
    if ('refused' in old) throw badKey(world, old.refused);
    if (old.claims.exp <= iat && !world.settings.renewExpired)
      throw badKey(world, 'IDX10223: Lifetime validation failed. The token is expired.');
    requireClient(old.claims, appid);
    const { clientId, userId } = old.claims;
    const renewed = issueKey(world, old.user, { kind, clientId, userId, iat, exp: iat + keyLifetimeSeconds });
    return { status: 200, body: { [world.settings.renewedKeyMember]: renewed } };
  };
}
