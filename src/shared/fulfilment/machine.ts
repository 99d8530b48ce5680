import { isDeepStrictEqual } from 'node:util';
import { type PendingReason, waitsForPlayer } from '../contract/pendingReason.ts';
import type { FulfilmentRecord, Rejection } from '../state/fulfilments.ts';

/** Who makes an attempt: a request that has a caller, or the recovery timer. */
export type AttemptBy = 'caller' | 'recovery';

/** What happens to a record. Times are epoch ms. `known`: the result in the record that the attempt has seen last; another one stays. */
export type RecordEvent<Result> =
  | { type: 'attempt'; now: number; leaseId: string; by: AttemptBy; byRequestIdentity: boolean }
  /** An attempt ends without a settled record. `sent`: the Store was asked. A result: the Store has done it, the rest is not finished. */
  | {
      type: 'endAttempt';
      now: number;
      leaseId: string;
      by: AttemptBy;
      reason: PendingReason;
      sent: boolean;
      result: Result | null;
      known: Result | null;
      /** `wakes` of the record as the attempt began. */
      wakes: number;
    }
  /** The Store has done it: what an attempt knows is written before it goes on. */
  | { type: 'keepResult'; now: number; result: Result; known: Result | null }
  /** A caller who makes no attempt is answered "pending". */
  | { type: 'reportPending' }
  /** No attempt can be made: the record waits for its player. */
  | { type: 'wait'; now: number; reason: PendingReason }
  | { type: 'complete'; now: number; result: Result; known: Result | null; byCreator: boolean }
  | { type: 'reject'; now: number; rejection: Rejection; known: Result | null }
  /** Nothing was sent by the request that created it. */
  | { type: 'void'; creator: string }
  | { type: 'eventPublished' }
  /** The user has a new key: the next run of the recovery timer attempts the record, and its pauses start again from the shortest. */
  | { type: 'makeDue'; now: number };

const minute = 60_000;
const pausesMs = [minute, 5 * minute, 15 * minute, 60 * minute];
/** A record that waits for its player is asked again this often. The registration of a key ends the wait. */
const waitForPlayerMs = 24 * 60 * minute;
/** The timer's ticks are not exact: a pause ends this much before the tick that is to end it. */
const tickToleranceMs = 2000;
/** Longer than any request works on a record. */
const leaseMs = minute;

/** The pause after an attempt, by how many the recovery timer has made (http-api.md 2.4). */
export function pauseAfterAttempts(recoveryAttempts: number): number {
  const pause = pausesMs[Math.min(recoveryAttempts, pausesMs.length - 1)] as number;
  return recoveryAttempts === 0 ? pause : pause - tickToleranceMs;
}

/** Whether it is asked again once a day only. A key that the Store refused in a bad moment is tried at the usual pauses first. */
function isWaiting(reason: PendingReason, sent: boolean, recoveryAttempts: number): boolean {
  if (reason !== 'store_id_expired') return waitsForPlayer(reason);
  return !sent || recoveryAttempts >= pausesMs.length;
}

/** A pending record, leased to the request that creates it. */
export function createRecord<Request, Result>(
  userId: string,
  id: string,
  request: Request,
  by: { creator: string; requestIdentity: boolean },
  now: number,
): FulfilmentRecord<Request, Result> {
  return {
    userId,
    id,
    request,
    state: 'pending',
    creator: by.creator,
    byRequestIdentity: by.requestIdentity,
    createdAt: now,
    lastAttemptAt: now,
    attempts: 1,
    recoveryAttempts: 0,
    pendingReported: false,
    reason: null,
    leaseId: by.creator,
    leaseExpiresAt: now + leaseMs,
    dueAt: now + pauseAfterAttempts(0),
    wakes: 0,
    eventPending: false,
    settledAt: null,
    result: null,
    rejection: null,
  };
}

type Change<Request, Result> = Partial<FulfilmentRecord<Request, Result>>;
type Transition<Result> = {
  [Type in RecordEvent<Result>['type']]?: <Request>(
    record: FulfilmentRecord<Request, Result>,
    event: Extract<RecordEvent<Result>, { type: Type }>,
  ) => Change<Request, Result> | null;
};
type Pending = FulfilmentRecord<unknown, unknown>;
type EventOf<Type> = Extract<RecordEvent<unknown>, { type: Type }>;

/** Whether it may have been sent with an identity of the other kind, which can be that of another Store account. */
function isOtherIdentity({ result, byRequestIdentity, attempts }: Pending, asked: boolean): boolean {
  if (result !== null || byRequestIdentity === asked) return false;
  return byRequestIdentity || attempts > 0;
}

/** Whoever makes a further attempt settles the record with an event: its caller may be answered "pending" without another write. */
function attempt(record: Pending, { now, leaseId, by, byRequestIdentity }: EventOf<'attempt'>) {
  if (now < record.leaseExpiresAt || isOtherIdentity(record, byRequestIdentity)) return null;
  const recoveryAttempts = by === 'recovery' ? record.recoveryAttempts + 1 : record.recoveryAttempts;
  const nextDue = now + pauseAfterAttempts(recoveryAttempts);
  return {
    lastAttemptAt: now,
    attempts: record.attempts + 1,
    recoveryAttempts,
    leaseId,
    leaseExpiresAt: now + leaseMs,
    byRequestIdentity: record.byRequestIdentity || byRequestIdentity,
    pendingReported: true,
    reason: null,
    dueAt: by === 'recovery' || waitsForPlayer(record.reason) ? nextDue : Math.max(record.dueAt ?? 0, nextDue),
  };
}

/** An attempt that is no longer the latest changes nothing but that its caller is answered "pending", and keeps a result. */
function endAttempt(record: Pending, event: EventOf<'endAttempt'>) {
  const isKept = event.result === null || !isDeepStrictEqual(record.result, event.known);
  const known = { pendingReported: true, result: isKept ? record.result : event.result };
  if (record.leaseId !== event.leaseId) return record.pendingReported && isKept ? null : known;
  // The recovery has no X-token: it can only finish what the Store has done.
  const reason = record.byRequestIdentity && known.result === null ? 'x_token_required' : event.reason;
  const counts = event.sent ? {} : withoutAttempt(record, event.by);
  // A key that was registered during the attempt has made the record due: it stays so.
  const dueAt = record.wakes === event.wakes ? nextDue({ ...record, ...counts }, { ...event, reason }) : record.dueAt;
  return { ...known, ...counts, reason, leaseExpiresAt: 0, dueAt };
}

/** What was not sent is no attempt. A new key may have set the count of the recovery to 0 meanwhile. */
function withoutAttempt({ attempts, recoveryAttempts }: Pending, by: AttemptBy) {
  return {
    attempts: Math.max(0, attempts - 1),
    recoveryAttempts: Math.max(0, by === 'recovery' ? recoveryAttempts - 1 : recoveryAttempts),
  };
}

/** When a record is due whose attempt has ended. */
function nextDue(record: Pending, { now, reason, sent, result }: EventOf<'endAttempt'>): number {
  if (isWaiting(reason, sent, record.recoveryAttempts)) return now + waitForPlayerMs;
  // The rest goes on at the next run.
  if (result !== null && reason === 'in_progress') return now + 1;
  const pauseEndsAt = now + pauseAfterAttempts(record.recoveryAttempts);
  return sent ? Math.min(record.dueAt ?? pauseEndsAt, pauseEndsAt) : pauseEndsAt;
}

function settled(record: Pending, now: number, eventPending: boolean) {
  const soonDueAt = Math.min(record.dueAt ?? Number.POSITIVE_INFINITY, now + pauseAfterAttempts(0));
  return { settledAt: now, eventPending, leaseExpiresAt: 0, reason: null, dueAt: eventPending ? soonDueAt : null };
}

const settledTransitions: Transition<unknown> = {
  eventPublished: ({ eventPending }) => (eventPending ? { eventPending: false, dueAt: null } : null),
};

/** All transitions. An event that is not listed for a state does not apply in it; null: it does not apply to this record. */
const transitions: Record<Pending['state'], Transition<unknown>> = {
  pending: {
    attempt,
    endAttempt,
    reportPending: ({ pendingReported }) => (pendingReported ? null : { pendingReported: true }),
    wait: ({ byRequestIdentity, result, leaseExpiresAt }, { now, reason }) =>
      byRequestIdentity && result === null && now >= leaseExpiresAt
        ? { pendingReported: true, reason, dueAt: now + waitForPlayerMs }
        : null,
    keepResult: (record, { now, result, known }) => {
      const soonDueAt = now + pauseAfterAttempts(0);
      const dueAt = Math.min(record.dueAt ?? soonDueAt, soonDueAt);
      return isDeepStrictEqual(record.result, known) ? { result, dueAt } : null;
    },
    // No event is needed only if the request that created it settles it, and no caller was answered "pending".
    complete: (record, { now, result, known, byCreator }) =>
      isDeepStrictEqual(record.result, known)
        ? { state: 'completed', result, ...settled(record, now, !byCreator || record.pendingReported) }
        : null,
    // The event is struck off by a second write: a caller who does not hear of the first is answered "pending".
    reject: (record, { now, rejection, known }) =>
      isDeepStrictEqual(record.result, known)
        ? { state: 'rejected', rejection, result: null, ...settled(record, now, true) }
        : null,
    void: ({ pendingReported, leaseId, creator, result }, event) =>
      pendingReported || creator !== event.creator || leaseId !== creator || result !== null
        ? null
        : { state: 'void', dueAt: null, leaseExpiresAt: 0 },
    makeDue: (record, { now }) => {
      const needsNoKey = record.byRequestIdentity && record.result === null;
      const isDue = record.dueAt !== null && record.dueAt <= now;
      // An attempt that has the lease may have read the old key.
      if (needsNoKey || (isDue && record.leaseExpiresAt === 0)) return null;
      return { dueAt: Math.min(record.dueAt ?? now, now), recoveryAttempts: 0, wakes: record.wakes + 1 };
    },
  },
  completed: settledTransitions,
  rejected: settledTransitions,
  void: {},
};

/** The record after an event, or null if the event does not apply to it. */
export function transition<Request, Result>(
  record: FulfilmentRecord<Request, Result>,
  event: RecordEvent<Result>,
): FulfilmentRecord<Request, Result> | null {
  const apply = transitions[record.state][event.type] as
    | ((record: FulfilmentRecord<Request, Result>, event: RecordEvent<Result>) => Change<Request, Result> | null)
    | undefined;
  const change = apply?.(record, event) ?? null;
  return change && { ...record, ...change };
}
