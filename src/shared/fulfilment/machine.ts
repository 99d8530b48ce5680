import type { ProblemCode, StoreStatement } from '../contract/problems.ts';

/** Why the Store refused for good. */
export interface Rejection {
  code: Extract<ProblemCode, 'insufficient_quantity' | 'store_rejected'>;
  store: StoreStatement;
}

/**
 * One consume or grant. Times are epoch ms.
 *
 * `open`: on disk, its outcome not known. `completed`, `rejected`: settled for good. `void`: nothing was ever sent and nobody was told
 * of it, as if it were not there.
 */
export interface FulfilmentRecord<Request, Result> {
  userId: string;
  /** The caller's tracking or order id, in lower case. */
  id: string;
  request: Request;
  state: 'open' | 'completed' | 'rejected' | 'void';
  /** The one attempt that began it: tells one's own write from another's. */
  creator: string;
  createdAt: number;
  lastAttemptAt: number;
  /** How many attempts the recovery timer has made: its pauses grow with them. */
  recoveries: number;
  /** A caller was told that it is pending: the outcome has to be announced. */
  reported: boolean;
  /** The latest attempt, and until when it has the record to itself. */
  holder: string;
  attemptedUntil: number;
  /** Its place in the recovery timer's list; null = not in it. */
  dueAt: number | null;
  /** Settled, but the event is not yet known to be in the outbox. */
  eventOwed: boolean;
  settledAt: number | null;
  result: Result | null;
  rejection: Rejection | null;
}

export type Input<Result> =
  | { type: 'attempt'; now: number; holder: string; by: 'caller' | 'recovery' }
  /** A caller is told that it is pending; the attempt that says so, if it is the latest, lets go of the record. */
  | { type: 'report'; holder: string | null }
  | { type: 'complete'; now: number; result: Result; byCreator: boolean }
  | { type: 'reject'; now: number; rejection: Rejection; byCreator: boolean }
  | { type: 'void' }
  /** The caller was told "pending" although it was settled: the write came through, its answer did not. */
  | { type: 'owe'; now: number }
  | { type: 'announced' };

const minute = 60_000;
const pauses = [minute, 5 * minute, 15 * minute, 60 * minute];
/** The timer's ticks are not exact: a pause that ends with the tick must not miss it. */
const slack = 2000;
/** Longer than a request can be at work on it. */
const attemptMs = minute;

/** The pause after an attempt, by how many the recovery timer has made (http-api.md 2.4). */
export function pauseAfter(recoveries: number): number {
  const pause = pauses[Math.min(recoveries, pauses.length - 1)] as number;
  return recoveries === 0 ? pause : pause - slack;
}

export function begin<Request, Result>(
  userId: string,
  id: string,
  request: Request,
  creator: string,
  now: number,
): FulfilmentRecord<Request, Result> {
  return {
    ...{ userId, id, request, creator, state: 'open', createdAt: now, lastAttemptAt: now, recoveries: 0 },
    ...{ reported: false, holder: creator, attemptedUntil: now + attemptMs, dueAt: now + pauseAfter(0) },
    ...{ eventOwed: false, settledAt: null, result: null, rejection: null },
  };
}

type Transition<Result> = {
  [Type in Input<Result>['type']]?: <Request>(
    record: FulfilmentRecord<Request, Result>,
    input: Extract<Input<Result>, { type: Type }>,
  ) => Partial<FulfilmentRecord<Request, Result>> | null;
};

/** An outcome needs no event only if the very request that created the record settles it, and nobody was told "pending". */
function settled(record: { reported: boolean; dueAt: number | null }, now: number, byCreator: boolean) {
  const eventOwed = !byCreator || record.reported;
  const soon = Math.min(record.dueAt ?? Number.POSITIVE_INFINITY, now + pauseAfter(0));
  return { settledAt: now, eventOwed, attemptedUntil: 0, dueAt: eventOwed ? soon : null };
}

const settledTransitions: Transition<unknown> = {
  owe: ({ eventOwed, reported }, { now }) =>
    eventOwed || reported ? null : { eventOwed: true, reported: true, dueAt: now + pauseAfter(0) },
  announced: ({ eventOwed }) => (eventOwed ? { eventOwed: false, dueAt: null } : null),
};

/** Every transition there is. What is not listed does not happen; null: not from this record. */
const transitions: Record<FulfilmentRecord<unknown, unknown>['state'], Transition<unknown>> = {
  open: {
    attempt: ({ recoveries, dueAt, attemptedUntil }, { now, holder, by }) => {
      if (now < attemptedUntil) return null;
      const made = by === 'recovery' ? recoveries + 1 : recoveries;
      const nextDue = now + pauseAfter(made);
      return {
        ...{ lastAttemptAt: now, recoveries: made, holder, attemptedUntil: now + attemptMs },
        dueAt: by === 'recovery' ? nextDue : Math.max(dueAt ?? 0, nextDue),
      };
    },
    report: (record, { holder }) => ({ reported: true, ...(holder === record.holder && { attemptedUntil: 0 }) }),
    complete: (record, { now, result, byCreator }) => ({
      ...{ state: 'completed', result },
      ...settled(record, now, byCreator),
    }),
    reject: (record, { now, rejection, byCreator }) => ({
      ...{ state: 'rejected', rejection },
      ...settled(record, now, byCreator),
    }),
    void: ({ reported, holder, creator }) =>
      reported || holder !== creator ? null : { state: 'void', dueAt: null, attemptedUntil: 0 },
  },
  completed: settledTransitions,
  rejected: settledTransitions,
  void: {},
};

/** The record after an input, or null if it does not take it. */
export function next<Request, Result>(
  record: FulfilmentRecord<Request, Result>,
  input: Input<Result>,
): FulfilmentRecord<Request, Result> | null {
  const transition = transitions[record.state][input.type] as
    | ((
        record: FulfilmentRecord<Request, Result>,
        input: Input<Result>,
      ) => Partial<FulfilmentRecord<Request, Result>> | null)
    | undefined;
  const change = transition?.(record, input) ?? null;
  return change && { ...record, ...change };
}
