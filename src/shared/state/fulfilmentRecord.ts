import type { PendingReason } from '../contract/pendingReason.ts';
import type { ProblemCode, StoreErrorInfo } from '../contract/problems.ts';

/** Why the Store refused for good. */
export interface Rejection {
  code: Extract<ProblemCode, 'insufficient_quantity' | 'store_rejected'>;
  store: StoreErrorInfo;
}

/**
 * One consume or grant. Times are epoch ms.
 *
 * `pending`: stored, not concluded. `completed`, `rejected`: settled for good. `void`: nothing was sent and no caller was answered
 * "pending"; it counts as not there.
 */
export interface FulfilmentRecord<Request, Result> {
  userId: string;
  /** The caller's tracking or order id, in lower case. */
  id: string;
  request: Request;
  state: 'pending' | 'completed' | 'rejected' | 'void';
  /** A random id of the request that created it, which recognises its own write by it. */
  creator: string;
  /** It was asked with an identity that came with a request, which is not stored: it is never asked with the stored one. */
  byRequestIdentity: boolean;
  createdAt: number;
  lastAttemptAt: number;
  /** How often the Store was asked, or may have been. */
  attempts: number;
  /** Attempts of the recovery timer: its pauses grow with them. */
  recoveryAttempts: number;
  /** A caller was answered "pending", or may be: the outcome needs an event. */
  pendingReported: boolean;
  /** What keeps it pending; null: an attempt is under way, or its process ended. */
  reason: PendingReason | null;
  /** The latest attempt; until the lease expires, no other attempt may start. 0: the attempt has ended. */
  leaseId: string;
  leaseExpiresAt: number;
  /** When the recovery timer processes it; null = never. */
  dueAt: number | null;
  /** How often the registration of a key has made it due: an attempt sees by it that a key came meanwhile. */
  wakes: number;
  /** Settled, but its event is not known to be in the outbox. */
  eventPending: boolean;
  settledAt: number | null;
  /** In a pending record: the Store has done it, and the rest goes on from here. */
  result: Result | null;
  rejection: Rejection | null;
}

export type StoredFulfilment<Request, Result> = FulfilmentRecord<Request, Result> & { etag: string };

/** What is due: an event to publish (no Store call), or an attempt. */
export type DueKind = 'event' | 'attempt';

/** An entry of the recovery timer's lists; `key` sorts the entries of a list, the longest due first. */
export interface DueEntry {
  key: string;
  kind: DueKind;
  userId: string;
  id: string;
  dueAt: number;
  /** When the record was created. */
  since: number;
  /** For its player: a new key, or a request with an X-token. */
  waits: boolean;
}
