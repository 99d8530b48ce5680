import { randomUUID } from 'node:crypto';
import { applyTransition } from './applyTransition.ts';
import { attemptAndConclude } from './attempt.ts';
import { publishEvent } from './publish.ts';
import { hasTimeForAttempt } from './times.ts';
import type { FulfilmentParts, Resume } from './types.ts';

export function createResume<Request, Result, Identity>(
  parts: FulfilmentParts<Request, Result, Identity>,
): Resume<Request, Result> {
  const { clock, table } = parts;
  return async (call, stored) => {
    if (stored.eventPending) return (await publishEvent(parts, call, stored)) ? 'settled' : 'skipped';
    const now = clock.now();
    if (stored.byRequestIdentity && stored.result === null) {
      if (now < stored.leaseExpiresAt) return 'skipped';
      await applyTransition(table, stored, { type: 'wait', now, reason: 'x_token_required' });
      return 'pending';
    }
    if (!hasTimeForAttempt(call, clock)) return 'skipped';
    const leased = await applyTransition(table, stored, {
      type: 'attempt',
      now,
      leaseId: randomUUID(),
      by: 'recovery',
      byRequestIdentity: false,
    });
    if (!leased) return 'skipped';
    const { record } = await attemptAndConclude(parts, call, leased, 'recovery');
    return record.state === 'pending' ? 'pending' : 'settled';
  };
}
