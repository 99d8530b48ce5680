/** Who calls: the service's Entra token, the user's key, or a delegated X-token (store-api.md 1, 2.5). */
import { randomUUID } from 'node:crypto';
import { invalidParameter, StoreError } from './errors.ts';
import { type KeyClaims, keyAudience } from './keys.ts';
import type { KeyKind, User } from './types.ts';
import { userByHandle, type World } from './world.ts';

export const serviceAudience = 'https://onestore.microsoft.com';
export const collectionsRelyingParty = 'http://licensing.xboxlive.com';

/** The claims of a genuine Entra token (`exp` in epoch seconds); undefined for any other string. */
export type VerifyBearer = (token: string) => { appid: string; aud: string; exp: number } | undefined;

/** The user that a request is about. The times of the key are checked. */
export interface Beneficiary {
  user: User;
  /** `localTicketReference` of the request. */
  reference: string;
}

const badToken = 'Authentication token supplied is invalid';

/** The client id of the service token in `authorization`, or 401. */
export function requireService(world: World, verify: VerifyBearer, authorization: string | undefined): string {
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (token === undefined)
    throw new StoreError(401, 'PartnerAadTicketRequired', 'A partner AAD ticket is required to call this service.');
  const appid = clientOf(world, verify, token);
  if (typeof appid === 'string') return appid;
  throw new StoreError(401, appid.code, appid.message);
}

/** The client id of a `serviceTicket`. Its refusal has the codes of a bad key: the Store does not say whose token it was. */
export function requireTicket(world: World, verify: VerifyBearer, ticket: string): string {
  const appid = clientOf(world, verify, ticket);
  if (typeof appid === 'string') return appid;
  throw new StoreError(401, appid.code, appid.message);
}

function clientOf(world: World, verify: VerifyBearer, token: string): string | { code: string; message: string } {
  const claims = verify(token);
  if (!claims || claims.exp * 1000 <= world.now()) return { code: 'AuthenticationTokenInvalid', message: badToken };
  if (claims.aud !== serviceAudience)
    return { code: 'PartnerAadTicketRequired', message: 'The partner AAD ticket is for another audience.' };
  return claims.appid;
}

/** The user of a key of `kind` that `appid` may use now, or 401. */
export function requireKey(world: World, kind: KeyKind, appid: string, key: string): User {
  const read = readKey(world, kind, key);
  if ('refused' in read) throw badKey(world, read.refused);
  const now = world.now() / 1000;
  if (now < read.claims.nbf) throw badKey(world, 'IDX10222: Lifetime validation failed. The token is not yet valid.');
  if (now >= read.claims.exp) throw badKey(world, 'IDX10223: Lifetime validation failed. The token is expired.');
  requireClient(read.claims, appid);
  return read.user;
}

export function requireClient(claims: KeyClaims, appid: string): void {
  if (claims.clientId !== appid)
    throw new StoreError(401, 'InconsistentClientId', 'The client id of the key is not that of the service ticket.');
}

/** A key of this kind with its user, unless it is forged, of the other kind, of an unknown user, or revoked. Does not check its times. */
export function readKey(
  world: World,
  kind: KeyKind,
  key: string,
): { claims: KeyClaims; user: User; keyId: string } | { refused: string } {
  const claims = world.ring.read(key);
  if ('refused' in claims) return claims;
  if (claims.kind !== kind) return { refused: 'IDX10214: Audience validation failed.' };
  const decrypted = world.ring.decrypt(claims.payload) as
    | { user?: unknown; key?: unknown; generation?: unknown }
    | undefined;
  const user = userByHandle(world, decrypted?.user);
  if (!user) return { refused: 'The user of the key is not known.' };
  const keyId = String(decrypted?.key);
  if (world.revokedKeys.has(keyId) || decrypted?.generation !== user.generation)
    return { refused: 'The key has been revoked.' };
  return { claims, user, keyId };
}

/** How a bad key is refused. The quirk of store-api.md 2.5: `badKeyStyle` can name what is not the key's fault. */
export function badKey(world: World, cause: string): StoreError {
  const { badKeyStyle } = world.settings;
  if (badKeyStyle === 'AuthenticationTokenInvalid') return new StoreError(401, 'AuthenticationTokenInvalid', badToken);
  if (badKeyStyle === 'InternalAadAuthenticationError')
    return new StoreError(401, 'AuthenticationFailure', 'Authentication failed.', {
      data: [`InternalAadAuthenticationError: InternalServerError. ${badToken}`],
    });
  return new StoreError(401, 'AuthenticationFailure', 'Authentication failed.', {
    data: [`AuthenticationTokenInvalid: ${badToken}. B2B key : ${cause}`],
  });
}

/** A new key for the user. Times in epoch seconds. */
export function issueKey(
  world: World,
  user: User,
  key: Pick<KeyClaims, 'kind' | 'iat' | 'exp' | 'clientId' | 'userId'> & { refreshUri?: string | undefined },
): string {
  const host = new URL(keyAudience[key.kind]).origin;
  return world.ring.issue({
    ...key,
    nbf: key.iat,
    payload: world.ring.encrypt({ user: user.handle, key: randomUUID(), generation: user.generation }),
    refreshUri: key.refreshUri ?? `${host}/v6.0/b2b/keys/renew`,
  });
}

export interface XToken {
  user: string;
  userHash: string;
  sandbox: string;
  relyingParty: string;
  /** ms */
  expiresAt: number;
}

/** User and sandbox of an `XBL3.0 x={userHash};{token}` header (store-api.md 1.4). */
export function requireXToken(world: World, authorization: string): { user: User; sandbox: string } {
  const [, userHash, token] = /^XBL3\.0 x=([^;]+);(\S+)$/.exec(authorization) ?? [];
  const xToken = token === undefined ? undefined : (world.ring.decrypt(token) as XToken | undefined);
  const user = userByHandle(world, xToken?.user);
  if (!xToken || !user || xToken.userHash !== userHash) throw badXToken('invalid_token', 'The token is not valid.');
  if (xToken.expiresAt <= world.now()) throw badXToken('token_expired', 'The token has expired.');
  const sandboxes = world.settings.xTokenSandboxes;
  if (xToken.relyingParty !== collectionsRelyingParty || (sandboxes && !sandboxes.includes(xToken.sandbox)))
    throw new StoreError(403, 'Forbidden', 'The sandbox or the relying party of the token is not allowed.');
  return { user, sandbox: xToken.sandbox };
}

function badXToken(error: string, description: string): StoreError {
  const headers = { 'www-authenticate': `XBL3.0 error="${error}", error_description="${description}"` };
  return new StoreError(401, 'AuthenticationTokenInvalid', description, { headers });
}

/** `{identityType: "b2b", identityValue, localTicketReference}` as a user. */
export function requireBeneficiary(world: World, appid: string, value: unknown, field: string): Beneficiary {
  const { identityType, identityValue, localTicketReference } = (value ?? {}) as Record<string, unknown>;
  if (identityType !== 'b2b') throw invalidParameter([`${field}.identityType`], 'The identity type must be b2b.');
  if (typeof identityValue !== 'string' || identityValue === '')
    throw invalidParameter([`${field}.identityValue`], 'The identity value is missing.');
  const user = requireKey(world, 'collections', appid, identityValue);
  return { user, reference: typeof localTicketReference === 'string' ? localTicketReference : '' };
}

export function publisherUserId(world: World, key: string): string {
  const claims = world.ring.read(key);
  return 'refused' in claims ? '' : (claims.userId ?? '');
}
