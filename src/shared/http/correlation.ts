import { randomUUID } from 'node:crypto';
import { looksLikeSecret } from '../lib/log.ts';

const accepted = /^[\x21-\x7e]{1,128}$/;

/**
 * The caller's correlation id (http-api.md 1), else a new one. It is in every log line, so what can be a key sent in the wrong header
 * is not taken.
 */
export function correlationIdOf(proposed: string | null): string {
  return proposed !== null && accepted.test(proposed) && !looksLikeSecret(proposed) ? proposed : randomUUID();
}
