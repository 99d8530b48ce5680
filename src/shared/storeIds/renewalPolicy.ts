/** When a key can no longer be renewed, and when its renewal is tried (http-api.md 2.11). Pure. Times are epoch ms. */
import { type AuthFault, authFaultOf, isStoreRefusal } from '../store/errors.ts';
import type { StoreResponse } from '../store/response.ts';

/** What the refusals so far say about a key. */
export interface RefusalHistory {
  unrenewable: boolean;
  /** The first proven refusal; of an unrenewable key the latest. */
  refusedAt?: number | undefined;
}

/** Two refusals end a key, if they are at least so far apart: one bad moment of the Store does not. */
const leastApartMs = 10 * 60_000;
/** The renewal of an unrenewable key is tried again after this time. */
const retryAfterMs = 24 * 3600_000;

/**
 * The history after a refusal at `at` that is the key's fault for certain: the Store took the service's token for another call
 * afterwards.
 */
export function afterProvenRefusal(history: RefusalHistory, at: number): RefusalHistory {
  const { unrenewable, refusedAt } = history;
  if (refusedAt === undefined) return { unrenewable, refusedAt: at };
  if (unrenewable) return { unrenewable, refusedAt: Math.max(at, refusedAt) };
  return at - refusedAt >= leastApartMs ? { unrenewable: true, refusedAt: at } : history;
}

export function mayRenew({ unrenewable, refusedAt }: RefusalHistory, now: number): boolean {
  return !unrenewable || refusedAt === undefined || now - refusedAt >= retryAfterMs;
}

/** What a refused renewal is about. `other`: neither a key nor a token, or not as documented. */
export type RenewalFault = AuthFault | 'other';

/** Null: it is no refusal, but throttling, an outage or a gateway's page. */
export function renewalFaultOf(response: StoreResponse): RenewalFault | null {
  if (response.status === 408 || response.status === 429 || response.status >= 500) return null;
  return authFaultOf(response) ?? (isStoreRefusal(response) ? 'other' : null);
}

/** Whether a refusal counts as one that can end a key: only what the documentation says of a token or key (store-api.md 1.3, 2.5). */
export function countsAgainstKey(response: StoreResponse): boolean {
  const code = response.error.code?.toLowerCase();
  return authFaultOf(response) === 'key' || code === 'authenticationtokeninvalid';
}
