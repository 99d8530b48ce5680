import { Problem } from '../contract/problems.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import type { FulfilmentRecord, FulfilmentsTable, Rejection, StoredFulfilment } from '../state/fulfilments.ts';
import type { RecordEvent } from './machine.ts';

/** The outcome of an attempt. `unknown`: neither done nor refused as documented, so the Store is asked again. */
export type Outcome<Result> =
  | { outcome: 'completed'; result: Result }
  | { outcome: 'rejected'; rejection: Rejection }
  | { outcome: 'unknown'; why: string };

/** What differs between a consume and a grant. */
export interface FulfilmentHandler<Request, Result, Identity> {
  /** Whether a repeat under the same id asks for the same. */
  isSameRequest(a: Request, b: Request): boolean;
  /** The identity that the Store is asked with: reads and renews keys, changes nothing else. @throws Problem */
  identity(call: CallContext, record: FulfilmentRecord<Request, Result>): Promise<Identity>;
  /** Asks the Store for the change. @throws Problem: the outcome is not known */
  attempt(call: CallContext, record: FulfilmentRecord<Request, Result>, identity: Identity): Promise<Outcome<Result>>;
  /** Writes what a later clawback needs, before the record says completed. Idempotent. @throws Problem unavailable */
  saveOrderLines(record: FulfilmentRecord<Request, Result>, result: Result): Promise<void>;
  /** Puts the outcome into the outbox, once however often it is called. @throws Problem unavailable */
  publishOutcome(record: FulfilmentRecord<Request, Result>): Promise<void>;
}

export interface Submitted<Request, Result> {
  record: FulfilmentRecord<Request, Result>;
  /** It was settled before this request. */
  replayed: boolean;
}

/**
 * Who makes an attempt. `creator`: the request that created the record. `repeat`: one that asks the same again. `observer`: one that
 * finds the record leased to another, and makes none. `recovery`: the timer, which has no caller.
 */
export type Actor = 'creator' | 'repeat' | 'observer' | 'recovery';

/**
 * Fulfils a request once, however often it is submitted: the record first, then the Store, then the order lines, then the record again.
 * `requestIdentity` is used instead of the stored one, in this call alone.
 * @throws Problem tracking_id_reused; unknown_user, store_id_expired, unavailable: nothing was sent
 */
export type Submit<Request, Result, Identity> = (
  call: CallContext,
  userId: string,
  id: string,
  request: Request,
  requestIdentity?: Identity,
) => Promise<Submitted<Request, Result>>;

/**
 * Attempts a record whose lease has expired, or publishes an event that is pending. False: its due entry is unchanged.
 * Pauses grow with the attempts of the recovery timer alone.
 * @throws Problem unavailable
 */
export type Resume<Request, Result> = (
  call: CallContext,
  stored: StoredFulfilment<Request, Result>,
) => Promise<boolean>;

/** What the record writer is made of. */
export interface WriterParts<Request, Result> {
  handler: Pick<FulfilmentHandler<Request, Result, never>, 'saveOrderLines' | 'publishOutcome'>;
  table: FulfilmentsTable<Request, Result>;
  clock: Clock;
}

/** What submit and resume are made of. */
export interface FulfilmentParts<Request, Result, Identity> {
  handler: FulfilmentHandler<Request, Result, Identity>;
  table: FulfilmentsTable<Request, Result>;
  clock: Clock;
}

/** Writes the outcomes of records. */
export interface RecordWriter<Request, Result> {
  /** Starts again if another writer has changed the record. Null: the event no longer applies. @throws Problem unavailable */
  applyTransition(
    stored: StoredFulfilment<Request, Result>,
    event: RecordEvent<Result>,
  ): Promise<StoredFulfilment<Request, Result> | null>;
  /** Writes an outcome. If that fails, the outcome is lost: returns the record as it was. */
  recordOutcome(
    call: CallContext,
    stored: StoredFulfilment<Request, Result>,
    outcome: Outcome<Result>,
    actor: Actor,
  ): Promise<Submitted<Request, Result>>;
  /** Publishes the event of a settled record. False: it stays in the recovery timer's list. */
  publishEvent(call: CallContext, settled: StoredFulfilment<Request, Result>): Promise<boolean>;
  /** The caller was answered that nothing was sent: voids the record, if it exists after all, once it can be written. Never fails. */
  voidRecord(call: CallContext, record: FulfilmentRecord<Request, Result>): Promise<void>;
  /** A caller is answered "pending", but a write may have settled the record without an event: makes sure of the event. Never fails. */
  ensureEventPublished(call: CallContext, record: FulfilmentRecord<Request, Result>): Promise<void>;
}

export interface EngineParts<Request, Result, Identity> extends FulfilmentParts<Request, Result, Identity> {
  writer: RecordWriter<Request, Result>;
}

/** @throws a fault that is no Problem: it is a fault of this service, for the boundary */
export function problemOrThrow(fault: unknown): Problem {
  if (fault instanceof Problem) return fault;
  throw fault;
}
