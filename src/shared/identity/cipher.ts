import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Problem } from '../contract/problems.ts';
import type { Log } from '../lib/log.ts';
import type { Secrets, SecretVersion } from './secrets.ts';
import type { KeyKind } from './storeId.ts';

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** Whose key it is: bound to the ciphertext, so that a row copied to another user cannot be read. */
export interface KeyOwner {
  userId: string;
  account: string;
  kind: KeyKind;
}

/** nonce (12) | tag (16) | ciphertext, and the version of the Key Vault secret that it takes to open it. */
export interface SealedKey {
  sealed: Uint8Array;
  secretVersion: string;
}

export interface KeyCipher {
  /** With the newest version of the secret and a fresh nonce. @throws Problem unavailable */
  seal(key: string, owner: KeyOwner, log: Log): Promise<SealedKey>;
  /** @throws Problem unavailable; also if the row is not what was sealed for this owner */
  open(row: SealedKey, owner: KeyOwner, log: Log): Promise<string>;
  /** Whether a row is sealed with the newest version. @throws Problem unavailable */
  isCurrent(row: SealedKey, log: Log): Promise<boolean>;
}

export function keyCipher(secrets: Secrets, secretName: string): KeyCipher {
  return {
    async isCurrent(row, log) {
      return (await secrets.newest(secretName, log)).version === row.secretVersion;
    },
    async seal(key, owner, log) {
      const secret = await secrets.newest(secretName, log);
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, rawKey(secret, secretName), nonce).setAAD(ownerBytes(owner));
      const text = Buffer.concat([cipher.update(key, 'utf8'), cipher.final()]);
      return { sealed: Buffer.concat([nonce, cipher.getAuthTag(), text]), secretVersion: secret.version };
    },
    async open(row, owner, log) {
      const secret = await secrets.version(secretName, row.secretVersion, log);
      const sealed = Buffer.from(row.sealed);
      try {
        const decipher = createDecipheriv(algorithm, rawKey(secret, secretName), sealed.subarray(0, nonceBytes))
          .setAAD(ownerBytes(owner))
          .setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
        return decipher.update(sealed.subarray(nonceBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
      } catch (cause) {
        if (cause instanceof Problem) throw cause;
        throw new Problem('unavailable', 'A stored User Store ID key cannot be deciphered; register it anew.', {
          retryAfterSeconds: 60,
          cause,
        });
      }
    },
  };
}

function rawKey(secret: SecretVersion, name: string): Buffer {
  const bytes = Buffer.from(secret.value.trim(), 'base64');
  if (bytes.length === keyBytes) return bytes;
  throw new Problem('unavailable', `The Key Vault secret ${name} is not 32 bytes in base64.`, {
    retryAfterSeconds: 60,
  });
}

function ownerBytes({ userId, account, kind }: KeyOwner): Buffer {
  return Buffer.from(JSON.stringify([userId, account, kind]), 'utf8');
}
