import type { FulfilmentRecord, Rejection } from '../state/fulfilments.ts';

/** What happens to a record. Times are epoch ms. */
export type RecordEvent<Result> =
  | { type: 'attempt'; now: number; leaseId: string; by: 'caller' | 'recovery' }
  /** A caller is answered "pending". The attempt that says so, if it is the latest, ends its lease. */
  | { type: 'reportPending'; leaseId: string | null }
  | { type: 'complete'; now: number; result: Result; byCreator: boolean }
  | { type: 'reject'; now: number; rejection: Rejection; byCreator: boolean }
  | { type: 'void' }
  /** A caller was answered "pending" although it was settled: the write succeeded, but its answer was lost. */
  | { type: 'requireEvent'; now: number }
  | { type: 'eventPublished' }
  /** The user has a new key: the next run of the recovery timer attempts the record, and its pauses start again from the shortest. */
  | { type: 'makeDue'; now: number };

const minute = 60_000;
const pausesMs = [minute, 5 * minute, 15 * minute, 60 * minute];
/** The timer's ticks are not exact: a pause ends this much before the tick that is to end it. */
const tickToleranceMs = 2000;
/** Longer than any request works on a record. */
const leaseMs = minute;

/** The pause after an attempt, by how many the recovery timer has made (http-api.md 2.4). */
export function pauseAfterAttempts(recoveryAttempts: number): number {
  const pause = pausesMs[Math.min(recoveryAttempts, pausesMs.length - 1)] as number;
  return recoveryAttempts === 0 ? pause : pause - tickToleranceMs;
}

/** A pending record, leased to the request that creates it. */
export function createRecord<Request, Result>(
  userId: string,
  id: string,
  request: Request,
  creator: string,
  now: number,
): FulfilmentRecord<Request, Result> {
  return {
    userId,
    id,
    request,
    state: 'pending',
    creator,
    createdAt: now,
    lastAttemptAt: now,
    recoveryAttempts: 0,
    pendingReported: false,
    leaseId: creator,
    leaseExpiresAt: now + leaseMs,
    dueAt: now + pauseAfterAttempts(0),
    eventPending: false,
    settledAt: null,
    result: null,
    rejection: null,
  };
}

type Transition<Result> = {
  [Type in RecordEvent<Result>['type']]?: <Request>(
    record: FulfilmentRecord<Request, Result>,
    event: Extract<RecordEvent<Result>, { type: Type }>,
  ) => Partial<FulfilmentRecord<Request, Result>> | null;
};

/** A settled record needs no event only if the request that created it settles it, and no caller was answered "pending". */
function settledMembers(record: { pendingReported: boolean; dueAt: number | null }, now: number, byCreator: boolean) {
  const eventPending = !byCreator || record.pendingReported;
  const soonDueAt = Math.min(record.dueAt ?? Number.POSITIVE_INFINITY, now + pauseAfterAttempts(0));
  return { settledAt: now, eventPending, leaseExpiresAt: 0, dueAt: eventPending ? soonDueAt : null };
}

const settledTransitions: Transition<unknown> = {
  requireEvent: ({ eventPending, pendingReported }, { now }) =>
    eventPending || pendingReported
      ? null
      : { eventPending: true, pendingReported: true, dueAt: now + pauseAfterAttempts(0) },
  eventPublished: ({ eventPending }) => (eventPending ? { eventPending: false, dueAt: null } : null),
};

/** All transitions. An event that is not listed for a state does not apply in it; null: it does not apply to this record. */
const transitions: Record<FulfilmentRecord<unknown, unknown>['state'], Transition<unknown>> = {
  pending: {
    attempt: ({ recoveryAttempts, dueAt, leaseExpiresAt }, { now, leaseId, by }) => {
      if (now < leaseExpiresAt) return null;
      const attempts = by === 'recovery' ? recoveryAttempts + 1 : recoveryAttempts;
      const nextDue = now + pauseAfterAttempts(attempts);
      return {
        lastAttemptAt: now,
        recoveryAttempts: attempts,
        leaseId,
        leaseExpiresAt: now + leaseMs,
        dueAt: by === 'recovery' ? nextDue : Math.max(dueAt ?? 0, nextDue),
      };
    },
    reportPending: (record, { leaseId }) => ({
      pendingReported: true,
      ...(leaseId === record.leaseId && { leaseExpiresAt: 0 }),
    }),
    complete: (record, { now, result, byCreator }) => ({
      state: 'completed',
      result,
      ...settledMembers(record, now, byCreator),
    }),
    reject: (record, { now, rejection, byCreator }) => ({
      state: 'rejected',
      rejection,
      ...settledMembers(record, now, byCreator),
    }),
    void: ({ pendingReported, leaseId, creator }) =>
      pendingReported || leaseId !== creator ? null : { state: 'void', dueAt: null, leaseExpiresAt: 0 },
    makeDue: ({ dueAt }, { now }) => (dueAt !== null && dueAt <= now ? null : { dueAt: now, recoveryAttempts: 0 }),
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
    | ((
        record: FulfilmentRecord<Request, Result>,
        event: RecordEvent<Result>,
      ) => Partial<FulfilmentRecord<Request, Result>> | null)
    | undefined;
  const change = apply?.(record, event) ?? null;
  return change && { ...record, ...change };
}
