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

/** A key at rest, with the version of the Key Vault secret that decrypts it. */
export interface EncryptedKey {
  /** nonce (12 bytes), tag (16), ciphertext. */
  ciphertext: Uint8Array;
  secretVersion: string;
}

export interface KeyCipher {
  /** With the newest version of the secret and a fresh nonce. @throws Problem unavailable */
  encrypt(key: string, owner: KeyOwner, log: Log): Promise<EncryptedKey>;
  /** @throws Problem unavailable; also if it was not encrypted for this owner */
  decrypt(encrypted: EncryptedKey, owner: KeyOwner, log: Log): Promise<string>;
  /** Whether no version of the secret is known that is newer than the one it is encrypted with. @throws Problem unavailable */
  isCurrent(encrypted: EncryptedKey, log: Log): Promise<boolean>;
}

export function createKeyCipher(secrets: Secrets, secretName: string): KeyCipher {
  return {
    async isCurrent(encrypted, log) {
      const newest = await secrets.newest(secretName, log);
      if (newest.version === encrypted.secretVersion) return true;
      // Not by the version's name: this instance may not know the newest one yet, with which another has encrypted the key.
      return (await secrets.version(secretName, encrypted.secretVersion, log)).createdOn >= newest.createdOn;
    },
    async encrypt(key, owner, log) {
      const secret = await secrets.newest(secretName, log);
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, encryptionKey(secret, secretName), nonce).setAAD(ownerBytes(owner));
      const text = Buffer.concat([cipher.update(key, 'utf8'), cipher.final()]);
      return { ciphertext: Buffer.concat([nonce, cipher.getAuthTag(), text]), secretVersion: secret.version };
    },
    async decrypt(encrypted, owner, log) {
      const secret = await secrets.version(secretName, encrypted.secretVersion, log);
      const bytes = Buffer.from(encrypted.ciphertext);
      try {
        const decipher = createDecipheriv(algorithm, encryptionKey(secret, secretName), bytes.subarray(0, nonceBytes), {
          // Node would take a shorter tag as well, which is easier to guess.
          authTagLength: tagBytes,
        })
          .setAAD(ownerBytes(owner))
          .setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
        return decipher.update(bytes.subarray(nonceBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
      } catch (cause) {
        if (cause instanceof Problem) throw cause;
        throw new Problem('unavailable', 'A stored User Store ID key cannot be decrypted; register it anew.', {
          retryAfterSeconds: 60,
          cause,
        });
      }
    },
  };
}

function encryptionKey(secret: SecretVersion, name: string): Buffer {
  const bytes = Buffer.from(secret.value.trim(), 'base64');
  if (bytes.length === keyBytes) return bytes;
  throw new Problem('unavailable', `The Key Vault secret ${name} is not 32 bytes in base64: add a version that is.`, {
    retryAfterSeconds: 60,
  });
}

function ownerBytes({ userId, account, kind }: KeyOwner): Buffer {
  return Buffer.from(JSON.stringify([userId, account, kind]), 'utf8');
}
