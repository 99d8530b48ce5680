import { createHash } from 'node:crypto';

const plain = /^[a-z0-9-]{1,64}$/;

/** A user id as a key part: 256 code points of anything do not fit a table key, and case matters. */
export function userHash(userId: string): string {
  return createHash('sha256').update(userId, 'utf8').digest('hex');
}

/** An id of the Store as a key part, without its case: UUIDs as they are; an id with other characters by its hash. */
export function idPart(id: string): string {
  const lower = id.toLowerCase();
  return plain.test(lower) ? lower : `~${createHash('sha256').update(lower, 'utf8').digest('hex')}`;
}

/** One of `shards` partitions, evenly, by any SHA-256 in hex. */
export function shardOf(hash: string, shards: number): number {
  return Number.parseInt(hash.slice(0, 8), 16) % shards;
}
