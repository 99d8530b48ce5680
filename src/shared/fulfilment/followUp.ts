import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields } from '../lib/log.ts';
import type { FulfilmentRecord, FulfilmentsTable, StoredFulfilment } from '../state/fulfilments.ts';
import { applyTransition } from './applyTransition.ts';

/** Pauses between the looks at a record that may contradict the answer that its caller got: about two minutes in all. */
const pausesMs = [1000, 2000, 4000, 8000, 15_000, 30_000, 60_000];

/** The caller was answered that nothing was sent: voids the record, if it exists after all, once it can be written. Never fails. */
export function voidRecord<Request, Result>(
  table: FulfilmentsTable<Request, Result>,
  clock: Clock,
  call: CallContext,
  { userId, id, creator }: FulfilmentRecord<Request, Result>,
): Promise<void> {
  return followUp(table, clock, call, userId, id, async (found) => {
    // A write that timed out may still arrive.
    if (!found) return false;
    if (found.creator === creator) await applyTransition(table, found, { type: 'void' });
    return true;
  });
}

/** A caller is answered "pending", but a write may have settled the record without an event: makes sure of the event. Never fails. */
export function ensureEventPublished<Request, Result>(
  table: FulfilmentsTable<Request, Result>,
  clock: Clock,
  call: CallContext,
  { userId, id }: FulfilmentRecord<Request, Result>,
  publishEvent: (call: CallContext, settled: StoredFulfilment<Request, Result>) => Promise<boolean>,
): Promise<void> {
  return followUp(table, clock, call, userId, id, async (found) => {
    if (!found) return true;
    if (found.state === 'pending') {
      return (await applyTransition(table, found, { type: 'reportPending', leaseId: null })) !== null;
    }
    const settled = await applyTransition(table, found, { type: 'requireEvent', now: clock.now() });
    if (settled) await publishEvent(call, settled);
    return true;
  });
}

/** Reads a record again and again, until `work` returns true. Not guaranteed: this process may end before. */
async function followUp<Request, Result>(
  table: FulfilmentsTable<Request, Result>,
  clock: Clock,
  call: CallContext,
  userId: string,
  id: string,
  work: (found?: StoredFulfilment<Request, Result>) => Promise<boolean>,
): Promise<void> {
  for (const pause of pausesMs) {
    await clock.sleep(pause);
    try {
      if (await work(await table.get(userId, id))) return;
    } catch (fault) {
      call.log('warn', 'fulfilment.notFollowedUp', { id, ...faultFields(fault) });
    }
  }
}
