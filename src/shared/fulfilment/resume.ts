import { randomUUID } from 'node:crypto';
import { attemptAsUser, hasTimeForAttempt } from './attempt.ts';
import { createRecordWriter } from './recordWriter.ts';
import type { FulfilmentParts, Resume } from './types.ts';

export function createResume<Request, Result, Identity>(
  parts: FulfilmentParts<Request, Result, Identity>,
): Resume<Request, Result> {
  const writer = createRecordWriter(parts);
  const { clock } = parts;
  return async (call, stored) => {
    if (stored.eventPending) return writer.publishEvent(call, stored);
    if (!hasTimeForAttempt(call, clock)) return false;
    const leased = await writer.applyTransition(stored, {
      type: 'attempt',
      now: clock.now(),
      leaseId: randomUUID(),
      by: 'recovery',
    });
    if (!leased) return false;
    await attemptAsUser({ ...parts, writer }, call, leased, 'recovery');
    return true;
  };
}
