/**
 * Writes what became of an attempt. A caller is answered "pending" only if whoever settles the record afterwards owes an event: all but
 * the creator's own completion do, and that one is answered as completed (architecture.md 3).
 */
import { Problem } from '../contract/problems.ts';
import type { CallContext } from '../lib/callContext.ts';
import { faultFields } from '../lib/log.ts';
import type { Rejection, StoredFulfilment } from '../state/fulfilments.ts';
import { NothingSentError } from '../store/response.ts';
import { applyTransition } from './applyTransition.ts';
import { type RecordEvent, transition } from './machine.ts';
import { publishEvent } from './publish.ts';
import { pendingReasonOf, problemOrThrow } from './reason.ts';
import { beforeAnswer, conclusionContext } from './times.ts';
import type { Actor, Conclusion, FulfilmentParts, Outcome, Submitted } from './types.ts';

/** How often an attempt starts anew from a result that another attempt has kept. */
const roundsWithOthers = 3;
/** Pauses before something is written again while the caller waits: most faults of the tables are over by then. */
const pausesMs = [500, 1500];

type Parts<Request, Result> = Pick<FulfilmentParts<Request, Result, never>, 'table' | 'clock'> & {
  handler: Pick<FulfilmentParts<Request, Result, never>['handler'], 'conclude' | 'publishOutcome'>;
};

/** One attempt whose outcome is to be written. */
interface Attempted<Request, Result> {
  call: CallContext;
  /** The record as this attempt has written it last. */
  stored: StoredFulfilment<Request, Result>;
  leaseId: string;
  wakes: number;
  actor: Actor;
}

/** Never fails but for a fault of this service: what cannot be written stays pending, and the recovery goes on with it. */
export async function concludeAttempt<Request, Result>(
  parts: Parts<Request, Result>,
  call: CallContext,
  stored: StoredFulfilment<Request, Result>,
  actor: Actor,
  outcome: Outcome<Result> | Problem,
): Promise<Submitted<Request, Result>> {
  const attempted = { call, stored, leaseId: stored.leaseId, wakes: stored.wakes, actor };
  if (outcome instanceof Problem) return endWithProblem(parts, attempted, outcome, null);
  if (outcome.outcome === 'rejected') return reject(parts, attempted, outcome.rejection);
  return complete(parts, attempted, outcome.result);
}

async function complete<Request, Result>(
  parts: Parts<Request, Result>,
  attempted: Attempted<Request, Result>,
  result: Result,
  rounds = roundsWithOthers,
): Promise<Submitted<Request, Result>> {
  const { call, actor } = attempted;
  const conclusion = await conclude(parts, attempted, result).catch(problemOrThrow);
  if (conclusion instanceof Problem) {
    return endWithProblem(parts, attempted, conclusion, attempted.stored.result ?? result);
  }
  if (conclusion === null) return settledByAnother(parts, attempted);
  if (!conclusion.concluded) {
    const { reason } = conclusion;
    return endAttempt(parts, attempted, { ...endOf(parts, attempted, true), reason, result: conclusion.result });
  }
  const event = {
    type: 'complete',
    now: parts.clock.now(),
    result: conclusion.result,
    known: attempted.stored.result,
    byCreator: actor === 'creator',
  } as const;
  const written = await write(parts, attempted, event).catch(problemOrThrow);
  if (written instanceof Problem) {
    logNotWritten(attempted, event.type, written);
    const completed = transition<Request, Result>(attempted.stored, event);
    // The Store has done it and its order lines are stored. The recovery writes the record.
    return { record: (actor !== 'recovery' && completed) || attempted.stored, replayed: false };
  }
  if (!written) return concludeKept(parts, attempted, result, rounds);
  if (written.eventPending) await publishEvent(parts, call, written);
  return { record: written, replayed: false };
}

/** Another attempt has settled the record, or has kept a result of its own: that one counts. */
async function concludeKept<Request, Result>(
  parts: Parts<Request, Result>,
  attempted: Attempted<Request, Result>,
  result: Result | null,
  rounds: number,
): Promise<Submitted<Request, Result>> {
  const { call, stored } = attempted;
  const found = await beforeAnswer(parts.clock, call, parts.table.get(stored.userId, stored.id)).catch(problemOrThrow);
  if (found instanceof Problem || !found) return { record: stored, replayed: false };
  const kept = found.result ?? result;
  if (found.state !== 'pending' || kept === null || rounds === 0) {
    return { record: found, replayed: found.state !== 'pending' };
  }
  return complete(parts, { ...attempted, stored: found }, kept, rounds - 1);
}

/** @throws Problem */
async function conclude<Request, Result>(
  { handler, table, clock }: Parts<Request, Result>,
  attempted: Attempted<Request, Result>,
  result: Result,
): Promise<Conclusion<Result> | null> {
  const { call } = attempted;
  const context = conclusionContext(call);
  const keep = async (found: Result): Promise<Result | null> => {
    const { stored } = attempted;
    const event = { type: 'keepResult', now: clock.now(), result: found, known: stored.result } as const;
    const kept = await applyTransition(table, stored, event);
    const current = kept ?? (await table.get(stored.userId, stored.id));
    if (current?.state !== 'pending') return null;
    attempted.stored = current;
    return current.result;
  };
  const work = async (): Promise<Conclusion<Result> | null> => {
    const { byRequestIdentity, result: known } = attempted.stored;
    // Nobody but the next X-token could ask the Store again.
    if (byRequestIdentity && known === null && (await keep(result)) === null) return null;
    return handler.conclude(context, attempted.stored, result, keep);
  };
  return retrying({ clock, call }, () => beforeAnswer(clock, call, work()));
}

async function reject<Request, Result>(
  parts: Parts<Request, Result>,
  attempted: Attempted<Request, Result>,
  rejection: Rejection,
): Promise<Submitted<Request, Result>> {
  const { call, stored, actor } = attempted;
  const event = { type: 'reject', now: parts.clock.now(), rejection, known: stored.result } as const;
  const written = await write(parts, attempted, event).catch(problemOrThrow);
  if (written instanceof Problem) {
    logNotWritten(attempted, event.type, written);
    return { record: { ...stored, reason: 'unavailable' }, replayed: false };
  }
  if (!written) return concludeKept(parts, attempted, null, roundsWithOthers);
  // The creator's caller hears of it in this answer. If that cannot be written, an event comes as well.
  if (actor === 'creator' && !written.pendingReported) await strikeOffEvent(parts, attempted, written);
  else await publishEvent(parts, call, written);
  return { record: written, replayed: false };
}

async function strikeOffEvent<Request, Result>(
  { table, clock }: Parts<Request, Result>,
  { call }: Attempted<Request, Result>,
  rejected: StoredFulfilment<Request, Result>,
): Promise<void> {
  const { userId, id } = rejected;
  try {
    await beforeAnswer(clock, call, applyTransition(table, rejected, { type: 'eventPublished' }));
  } catch (fault) {
    call.log('warn', 'fulfilment.eventNotStruckOff', { userId, id, ...faultFields(problemOrThrow(fault)) });
  }
}

type End<Result> = Extract<RecordEvent<Result>, { type: 'endAttempt' }>;

function endOf<Request, Result>(
  { clock }: Parts<Request, Result>,
  { stored, leaseId, wakes, actor }: Attempted<Request, Result>,
  sent: boolean,
): Omit<End<Result>, 'reason' | 'result'> {
  const by = actor === 'recovery' ? 'recovery' : 'caller';
  return { type: 'endAttempt', now: clock.now(), leaseId, wakes, known: stored.result, by, sent };
}

function endWithProblem<Request, Result>(
  parts: Parts<Request, Result>,
  attempted: Attempted<Request, Result>,
  problem: Problem,
  result: Result | null,
): Promise<Submitted<Request, Result>> {
  // What follows the Store's answer may send nothing, but the attempt itself has.
  const sent = result !== null || !(problem instanceof NothingSentError);
  const reason = pendingReasonOf(problem);
  return endAttempt(parts, attempted, { ...endOf(parts, attempted, sent), reason, result });
}

/** The record stays pending. Its caller may be answered so even if this cannot be written: nobody settles it without an event. */
async function endAttempt<Request, Result>(
  parts: Parts<Request, Result>,
  attempted: Attempted<Request, Result>,
  event: End<Result>,
): Promise<Submitted<Request, Result>> {
  const { call, stored } = attempted;
  const { reason, sent } = event;
  const { userId, id } = stored;
  call.log('warn', 'fulfilment.pending', { userId, id, reason, sent, storeDone: event.result !== null });
  const asEnded = { record: transition<Request, Result>(stored, event) ?? stored, replayed: false };
  const written = await beforeAnswer(parts.clock, call, applyTransition(parts.table, stored, event)).catch(
    problemOrThrow,
  );
  if (written instanceof Problem) {
    logNotWritten(attempted, event.type, written);
    return asEnded;
  }
  return written ? { record: written, replayed: false } : settledByAnother(parts, attempted);
}

/** Another attempt has gone on with the record, or settled it, with an event. */
async function settledByAnother<Request, Result>(
  { table, clock }: Parts<Request, Result>,
  { call, stored }: Attempted<Request, Result>,
): Promise<Submitted<Request, Result>> {
  const found = await beforeAnswer(clock, call, table.get(stored.userId, stored.id)).catch(problemOrThrow);
  if (found instanceof Problem || !found) return { record: stored, replayed: false };
  return { record: found, replayed: found.state !== 'pending' };
}

/** Null: the event no longer applies. @throws Problem unavailable */
function write<Request, Result>(
  { table, clock }: Parts<Request, Result>,
  { call, stored }: Attempted<Request, Result>,
  event: RecordEvent<Result>,
): Promise<StoredFulfilment<Request, Result> | null> {
  return retrying({ clock, call }, () => beforeAnswer(clock, call, applyTransition(table, stored, event)));
}

/** Repeats work while our own state cannot be reached, as long as the call has time. @throws Problem */
async function retrying<Value>(
  { clock, call }: Pick<Parts<never, never>, 'clock'> & { call: CallContext },
  work: () => Promise<Value>,
): Promise<Value> {
  for (const pause of pausesMs) {
    try {
      return await work();
    } catch (fault) {
      if (problemOrThrow(fault).code !== 'unavailable' || clock.now() + pause > call.deadline) throw fault;
    }
    await clock.sleep(pause);
  }
  return work();
}

function logNotWritten(
  { call, stored: { userId, id } }: Attempted<unknown, unknown>,
  what: string,
  problem: Problem,
): void {
  call.log('error', 'fulfilment.notWritten', { userId, id, what, ...faultFields(problem) });
}
