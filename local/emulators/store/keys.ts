import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import type { KeyKind } from './types.ts';

/** Audience and issuer of a User Store ID key, by kind (store-api.md 1.2). */
export const keyAudience: Record<KeyKind, string> = {
  collections: 'https://collections.mp.microsoft.com/v6.0/keys',
  purchase: 'https://purchase.mp.microsoft.com/v6.0/keys',
};
export const claimPrefix = 'http://schemas.microsoft.com/marketplace/2015/08/claims/key/';
const verifiedLimit = 10_000;

/** Claims of a key, read: times in epoch seconds. */
export interface KeyClaims {
  kind: KeyKind;
  iat: number;
  nbf: number;
  exp: number;
  clientId: string;
  payload: string;
  userId: string | null;
  refreshUri: string;
}

/** The secrets of the emulated Store, as they are saved between runs. */
export interface KeyMaterial {
  privateKey: string;
  /** Key of the encryption, in base64. Saved states have it under this name. */
  seal: string;
}

export interface KeyRing {
  material: KeyMaterial;
  /** A signed User Store ID key. */
  issue(claims: KeyClaims): string;
  /** The claims of a key whose algorithm, signature, audience and issuer are right, or why it is refused. Does not check its times. */
  read(token: string): KeyClaims | { refused: string };
  /** An opaque string that only this ring can decrypt. */
  encrypt(value: unknown): string;
  /** undefined for what this ring did not encrypt. */
  decrypt(ciphertext: string): unknown;
}

export function newKeyMaterial(): KeyMaterial {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    seal: randomBytes(32).toString('base64'),
  };
}

/** A name for a secret that can be shown: the first 12 hex digits of its SHA-256. */
export function fingerprint(secret: string): string {
  return `sha256:${createHash('sha256').update(secret).digest('hex').slice(0, 12)}`;
}

export function createKeyRing(material: KeyMaterial): KeyRing {
  const publicKey = createPublicKey(material.privateKey);
  const kid = fingerprint(publicKey.export({ type: 'spki', format: 'pem' }).toString()).slice(7);
  const header = encode({ typ: 'JWT', alg: 'RS256', kid });
  const encryptionKey = Buffer.from(material.seal, 'base64');
  // Each signature is checked once: the same key comes with every request of its user.
  const verified = new Map<string, KeyClaims>();

  return {
    material,
    issue(claims) {
      const body = `${header}.${encode(toJwt(claims))}`;
      return `${body}.${sign('sha256', Buffer.from(body), material.privateKey).toString('base64url')}`;
    },
    read(token) {
      const known = verified.get(token);
      if (known) return known;
      const [head, payload, signature, ...more] = token.split('.');
      if (!head || !payload || !signature || more.length > 0)
        return { refused: 'IDX12741: JWT must have three segments.' };
      if (decode(head)?.alg !== 'RS256')
        return { refused: 'IDX10511: Signature validation failed. Algorithm not accepted.' };
      if (!verify('sha256', Buffer.from(`${head}.${payload}`), publicKey, Buffer.from(signature, 'base64url')))
        return { refused: `IDX10511: Signature validation failed. Keys tried: 'kid: ${kid}'.` };
      const claims = fromJwt(decode(payload));
      if (!claims) return { refused: 'IDX10214: Audience validation failed.' };
      if (verified.size >= verifiedLimit) verified.clear();
      verified.set(token, claims);
      return claims;
    },
    encrypt(value) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', encryptionKey, nonce);
      const text = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
    },
    decrypt(ciphertext) {
      const bytes = Buffer.from(ciphertext, 'base64url');
      if (bytes.length < 29) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', encryptionKey, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(12, 28));
      try {
        return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8'));
      } catch {
        // Not encrypted by this ring: for the caller the same as no value.
        return undefined;
      }
    },
  };
}

function toJwt(claims: KeyClaims): Record<string, unknown> {
  return {
    [`${claimPrefix}clientId`]: claims.clientId,
    [`${claimPrefix}payload`]: claims.payload,
    ...(claims.userId === null ? {} : { [`${claimPrefix}userId`]: claims.userId }),
    [`${claimPrefix}refreshUri`]: claims.refreshUri,
    iat: claims.iat,
    nbf: claims.nbf,
    exp: claims.exp,
    iss: keyAudience[claims.kind],
    aud: keyAudience[claims.kind],
  };
}

function fromJwt(jwt: Record<string, unknown> | undefined): KeyClaims | undefined {
  if (!jwt) return undefined;
  const kind = (Object.keys(keyAudience) as KeyKind[]).find((k) => keyAudience[k] === jwt.aud && jwt.iss === jwt.aud);
  if (!kind) return undefined;
  const userId = jwt[`${claimPrefix}userId`];
  return {
    kind,
    iat: Number(jwt.iat),
    nbf: Number(jwt.nbf),
    exp: Number(jwt.exp),
    clientId: String(jwt[`${claimPrefix}clientId`]),
    payload: String(jwt[`${claimPrefix}payload`]),
    userId: typeof userId === 'string' ? userId : null,
    refreshUri: String(jwt[`${claimPrefix}refreshUri`]),
  };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // A part that is no JSON is no JWT; the caller refuses it.
    return undefined;
  }
}
