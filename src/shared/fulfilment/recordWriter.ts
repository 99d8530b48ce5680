import type { CallContext } from '../lib/callContext.ts';
import { faultFields } from '../lib/log.ts';
import type { StoredFulfilment } from '../state/fulfilments.ts';
import { applyTransition } from './applyTransition.ts';
import { ensureEventPublished, voidRecord } from './followUp.ts';
import type { RecordEvent } from './machine.ts';
import {
  type Actor,
  type Outcome,
  problemOrThrow,
  type RecordWriter,
  type Submitted,
  type WriterParts,
} from './types.ts';

/** Pauses before an outcome is written again while the caller waits: most faults of the tables are over by then. */
const outcomePausesMs = [500, 1500];

export function createRecordWriter<Request, Result>(
  parts: WriterParts<Request, Result>,
): RecordWriter<Request, Result> {
  const { table, clock } = parts;
  const publish = (call: CallContext, settled: StoredFulfilment<Request, Result>) => publishEvent(parts, call, settled);
  return {
    applyTransition: (stored, event) => applyTransition(table, stored, event),
    publishEvent: publish,
    recordOutcome: (call, stored, outcome, actor) => recordOutcome(parts, call, stored, outcome, actor),
    voidRecord: (call, record) => voidRecord(table, clock, call, record),
    ensureEventPublished: (call, record) => ensureEventPublished(table, clock, call, record, publish),
  };
}

async function publishEvent<Request, Result>(
  { handler, table }: WriterParts<Request, Result>,
  call: CallContext,
  settled: StoredFulfilment<Request, Result>,
): Promise<boolean> {
  try {
    await handler.publishOutcome(settled);
    await applyTransition(table, settled, { type: 'eventPublished' });
    return true;
  } catch (fault) {
    call.log('error', 'fulfilment.eventNotPublished', { id: settled.id, ...faultFields(problemOrThrow(fault)) });
    return false;
  }
}

async function recordOutcome<Request, Result>(
  parts: WriterParts<Request, Result>,
  call: CallContext,
  stored: StoredFulfilment<Request, Result>,
  outcome: Outcome<Result>,
  actor: Actor,
): Promise<Submitted<Request, Result>> {
  const { table, clock } = parts;
  if (outcome.outcome === 'unknown') call.log('warn', 'fulfilment.pending', { id: stored.id, why: outcome.why });
  const event = outcomeEvent(outcome, stored, actor, clock.now());
  const pauses = outcome.outcome === 'unknown' ? [] : [...outcomePausesMs];
  for (;;) {
    try {
      return await writeOutcome(parts, call, stored, outcome, event);
    } catch (fault) {
      const about = { id: stored.id, outcome: outcome.outcome, ...faultFields(problemOrThrow(fault)) };
      call.log('error', 'fulfilment.notWritten', about);
    }
    const pause = pauses.shift();
    if (pause === undefined || clock.now() + pause > call.deadline) break;
    await clock.sleep(pause);
  }
  if (mayBeSettledWithoutEvent(outcome, actor)) {
    void ensureEventPublished(table, clock, call, stored, (...args) => publishEvent(parts, ...args));
  }
  return { record: stored, replayed: false };
}

async function writeOutcome<Request, Result>(
  parts: WriterParts<Request, Result>,
  call: CallContext,
  stored: StoredFulfilment<Request, Result>,
  outcome: Outcome<Result>,
  event: RecordEvent<Result>,
): Promise<Submitted<Request, Result>> {
  const { handler, table } = parts;
  if (outcome.outcome === 'completed') await handler.saveOrderLines(stored, outcome.result);
  const after = await applyTransition(table, stored, event);
  if (!after) return { record: (await table.get(stored.userId, stored.id)) ?? stored, replayed: true };
  if (after.eventPending) await publishEvent(parts, call, after);
  return { record: after, replayed: false };
}

function outcomeEvent<Result>(
  outcome: Outcome<Result>,
  { leaseId }: { leaseId: string },
  actor: Actor,
  now: number,
): RecordEvent<Result> {
  const byCreator = actor === 'creator';
  if (outcome.outcome === 'completed') return { type: 'complete', now, byCreator, result: outcome.result };
  if (outcome.outcome === 'rejected') return { type: 'reject', now, byCreator, rejection: outcome.rejection };
  return { type: 'reportPending', leaseId: actor === 'observer' ? null : leaseId };
}

/** This outcome could not be written: the caller is answered "pending". Whether the record may be settled without an event all the same. */
function mayBeSettledWithoutEvent(outcome: Outcome<unknown>, actor: Actor): boolean {
  if (outcome.outcome === 'unknown') return actor === 'repeat' || actor === 'observer';
  return actor === 'creator';
}
