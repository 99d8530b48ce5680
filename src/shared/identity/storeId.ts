import * as z from 'zod';
import { Problem } from '../contract/problems.ts';

export type KeyKind = 'collections' | 'purchase';

/** Audience of a User Store ID key by its kind (store-api.md 1.2). */
const audiences: Record<KeyKind, string> = {
  collections: 'https://collections.mp.microsoft.com/v6.0/keys',
  purchase: 'https://purchase.mp.microsoft.com/v6.0/keys',
};
const claimPrefix = 'http://schemas.microsoft.com/marketplace/2015/08/claims/key/';
const longestKey = 16 * 1024;
const clockSkewMs = 5 * 60_000;
const dayMs = 24 * 3600_000;
const renewAfterMs = 14 * dayMs;
/** The latest time that is accepted: the last second of the year 9999. */
const lastSecond = 253_402_300_799;

const seconds = z.number().min(0).max(lastSecond);
const header = z.looseObject({ alg: z.literal('RS256') });
const payload = z.looseObject({
  aud: z.enum([audiences.collections, audiences.purchase]),
  iat: seconds,
  exp: seconds,
  [`${claimPrefix}clientId`]: z.string().min(1),
  [`${claimPrefix}userId`]: z.string().nullish(),
});

/** What a key claims. The Store alone can check its signature, so none of it is proven. Times are epoch ms. */
export interface StoreIdClaims {
  issuedAt: number;
  expiresAt: number;
}

export interface StoreIdRules {
  kind: KeyKind;
  clientId: string;
  /** What the key must not contradict in its claim `userId`; absent for a key that comes with the request. */
  publisherUserId?: string;
  /** Epoch ms. */
  now: number;
}

/**
 * Decodes a User Store ID key and checks its claims (http-api.md 1). Its `refreshUri` is not read: whoever made the
 * key chose it, and a renewal there would hand them the service token.
 * @throws Problem invalid_store_id, wrong_client, user_mismatch; never quoting the key
 */
export function decodeStoreId(key: string, rules: StoreIdRules): StoreIdClaims {
  if (Buffer.byteLength(key) > longestKey) throw refused(rules.kind, `is longer than ${longestKey} bytes`);
  const segments = key.split('.');
  if (segments.length !== 3 || segments.some((segment) => !/^[\w-]+$/.test(segment)))
    throw refused(rules.kind, 'is not a JWT');
  const [head, body] = segments as [string, string, string];
  if (!header.safeParse(json(head, rules.kind)).success) throw refused(rules.kind, 'is not signed with RS256');
  const parsed = payload.safeParse(json(body, rules.kind));
  if (!parsed.success) {
    const claim = String(parsed.error.issues[0]?.path[0] ?? 'payload').replace(claimPrefix, '');
    throw refused(rules.kind, `has no valid claim ${claim}`);
  }
  const claims = parsed.data;
  if (claims.aud !== audiences[rules.kind]) throw refused(rules.kind, 'is of the other kind');
  if (claims.iat * 1000 > rules.now + clockSkewMs) throw refused(rules.kind, 'was issued in the future');
  if (claims.exp <= claims.iat) throw refused(rules.kind, 'ends before it begins');
  if (String(claims[`${claimPrefix}clientId`]).toLowerCase() !== rules.clientId.toLowerCase()) {
    throw new Problem(
      'wrong_client',
      `The ${rules.kind} key was made for another client id than ENTRA_CLIENT_ID: the game client must make it with a service ticket of this service.`,
    );
  }
  if (rules.publisherUserId !== undefined && namesAnother(claims[`${claimPrefix}userId`], rules.publisherUserId)) {
    throw new Problem(
      'user_mismatch',
      `The ${rules.kind} key names another publisherUserId: give the one that the game client made the key with, or register the key for its own user.`,
    );
  }
  return { issuedAt: Math.floor(claims.iat * 1000), expiresAt: Math.floor(claims.exp * 1000) };
}

/** A key that was made without a user has no claim, an empty one or `NoUserIdProvided` (store-api.md 1.2). */
function namesAnother(claimed: string | null | undefined, publisherUserId: string): boolean {
  return Boolean(claimed) && claimed !== 'NoUserIdProvided' && claimed !== publisherUserId;
}

/** When a key is due for renewal: 14 days after it was issued, at the latest a day before it ends (http-api.md 2.1). Epoch ms. */
export function renewAfter(claims: StoreIdClaims): number {
  return Math.min(claims.issuedAt + renewAfterMs, claims.expiresAt - dayMs);
}

export function keyState(
  key: StoreIdClaims & { unrenewable: boolean },
  now: number,
): 'fresh' | 'due' | 'expired' | 'unrenewable' {
  if (key.unrenewable) return 'unrenewable';
  if (now >= key.expiresAt) return 'expired';
  return now > renewAfter(key) ? 'due' : 'fresh';
}

function json(segment: string, kind: KeyKind): unknown {
  try {
    return JSON.parse(Buffer.from(segment, 'base64url').toString('utf8'));
  } catch {
    // The parser's message quotes the key.
    throw refused(kind, 'is not a JWT');
  }
}

function refused(kind: KeyKind, why: string): Problem {
  return new Problem('invalid_store_id', `The ${kind} key ${why}.`);
}
