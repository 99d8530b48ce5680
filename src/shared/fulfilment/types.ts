import type { PendingReason } from '../contract/pendingReason.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import type { FulfilmentRecord, FulfilmentsTable, Rejection, StoredFulfilment } from '../state/fulfilments.ts';

/** What the Store did. Everything else is a Problem: it is not known, and the Store is asked again. */
export type Outcome<Result> = { outcome: 'completed'; result: Result } | { outcome: 'rejected'; rejection: Rejection };

/** What was done after the Store has done its part: all of it, or the rest goes on from `result`. */
export type Conclusion<Result> =
  | { concluded: true; result: Result }
  | { concluded: false; result: Result; reason: PendingReason };

/**
 * Writes a result into the pending record, before anything else is done with it. Returns the one that counts: another attempt may have
 * written its own first. Null: the record has been settled meanwhile. @throws Problem unavailable
 */
export type KeepResult<Result> = (result: Result) => Promise<Result | null>;

/** What differs between a consume and a grant. */
export interface FulfilmentHandler<Request, Result, Identity> {
  /** The member in which a repeat under the same id differs, if there is one. */
  differingMember(a: Request, b: Request): string | undefined;
  /** The identity that the Store is asked with: reads and renews keys, changes nothing else. @throws Problem */
  identity(call: CallContext, record: FulfilmentRecord<Request, Result>): Promise<Identity>;
  /** Asks the Store for the change. @throws Problem: the outcome is not known; NothingSentError: nothing was sent */
  attempt(call: CallContext, record: FulfilmentRecord<Request, Result>, identity: Identity): Promise<Outcome<Result>>;
  /**
   * Does what must be done before the record says completed, such as writing what a later clawback needs. Idempotent; stops at the
   * call's deadline. Null: the record has been settled meanwhile. @throws Problem
   */
  conclude(
    call: CallContext,
    record: FulfilmentRecord<Request, Result>,
    result: Result,
    keep: KeepResult<Result>,
  ): Promise<Conclusion<Result> | null>;
  /** Puts the outcome into the outbox, once however often it is called. @throws Problem unavailable */
  publishOutcome(record: FulfilmentRecord<Request, Result>): Promise<void>;
}

export interface Submitted<Request, Result> {
  record: FulfilmentRecord<Request, Result>;
  /** It was settled before this request. */
  replayed: boolean;
}

/** Who makes an attempt: the request that created the record, one that asks the same again, or the timer, which has no caller. */
export type Actor = 'creator' | 'repeat' | 'recovery';

/**
 * Fulfils a request once, however often it is submitted: the record first, then the Store, then the order lines, then the record again.
 * `requestIdentity` is used instead of the stored one, in this call alone.
 * @throws Problem tracking_id_reused; unknown_user, store_id_expired, store_unauthorized, unavailable: nothing was sent
 */
export type Submit<Request, Result, Identity> = (
  call: CallContext,
  userId: string,
  id: string,
  request: Request,
  requestIdentity?: Identity,
) => Promise<Submitted<Request, Result>>;

/** What became of a due record. `skipped`: its due entry is unchanged. */
export type Resumed = 'settled' | 'pending' | 'skipped';

/**
 * Attempts a record whose lease has expired, or publishes an event that is pending.
 * Pauses grow with the attempts of the recovery timer alone.
 * @throws Problem unavailable
 */
export type Resume<Request, Result> = (
  call: CallContext,
  stored: StoredFulfilment<Request, Result>,
) => Promise<Resumed>;

/** What submit and resume are made of. */
export interface FulfilmentParts<Request, Result, Identity> {
  handler: FulfilmentHandler<Request, Result, Identity>;
  table: FulfilmentsTable<Request, Result>;
  clock: Clock;
}
