import type { CallContext } from '../lib/callContext.ts';
import { faultFields } from '../lib/log.ts';
import type { StoredFulfilment } from '../state/fulfilments.ts';
import { applyTransition } from './applyTransition.ts';
import { problemOrThrow } from './reason.ts';
import { beforeAnswer } from './times.ts';
import type { FulfilmentParts } from './types.ts';

/** Publishes the event of a settled record. False: it stays in the recovery timer's list. */
export async function publishEvent<Request, Result>(
  {
    handler,
    table,
    clock,
  }: Pick<FulfilmentParts<Request, Result, never>, 'table' | 'clock'> & {
    handler: Pick<FulfilmentParts<Request, Result, never>['handler'], 'publishOutcome'>;
  },
  call: CallContext,
  settled: StoredFulfilment<Request, Result>,
): Promise<boolean> {
  const publish = async (): Promise<void> => {
    await handler.publishOutcome(settled);
    await applyTransition(table, settled, { type: 'eventPublished' });
  };
  try {
    await beforeAnswer(clock, call, publish());
    return true;
  } catch (fault) {
    const { userId, id } = settled;
    call.log('error', 'fulfilment.eventNotPublished', { userId, id, ...faultFields(problemOrThrow(fault)) });
    return false;
  }
}
