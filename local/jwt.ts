import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';

/** Signs and reads tokens with RS256. Synchronous, unlike `jose`: the emulators must not be interrupted while they act. */
export interface TokenSigner {
  sign(claims: Record<string, unknown>): string;
  /** The claims of a token that this signer made. Does not check its times. */
  read(token: string): Record<string, unknown> | undefined;
}

export function tokenSigner(): TokenSigner {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicKey: KeyObject = createPublicKey(privateKey);
  const known = new Map<string, Record<string, unknown>>();
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = encode({ typ: 'JWT', alg: 'RS256', kid: 'local' });
  return {
    sign(claims) {
      const body = `${head}.${encode(claims)}`;
      return `${body}.${sign('sha256', Buffer.from(body), privateKey).toString('base64url')}`;
    },
    read(token) {
      const remembered = known.get(token);
      if (remembered) return remembered;
      const [header, payload, signature = '', ...more] = token.split('.');
      if (header !== head || payload === undefined || more.length > 0) return undefined;
      if (!verify('sha256', Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, 'base64url')))
        return undefined;
      const claims: Record<string, unknown> = JSON.parse(Buffer.from(payload, 'base64url').toString());
      if (known.size > 1000) known.clear();
      known.set(token, claims);
      return claims;
    },
  };
}
