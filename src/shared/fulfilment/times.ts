import { Problem } from '../contract/problems.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { TimeoutError, withTimeout } from '../lib/timeout.ts';

/** How the time of a call is divided: the Store's answer, then the order lines, then the record and the answer to the caller. */
const attemptEndsMs = 12_000;
const conclusionEndsMs = 4000;
/** What is still being written this long after the deadline is not waited for. */
const afterDeadlineMs = 5000;
/** With less time than this, no attempt is made. */
const leastAttemptMs = 2000;

/** The context of an attempt: it ends early enough for its outcome to be written. */
export function attemptContext(call: CallContext): CallContext {
  return { ...call, deadline: call.deadline - attemptEndsMs };
}

/** The context of what is done between the Store's answer and the record. */
export function conclusionContext(call: CallContext): CallContext {
  return { ...call, deadline: call.deadline - conclusionEndsMs };
}

export function hasTimeForAttempt(call: CallContext, clock: Clock): boolean {
  return clock.now() + leastAttemptMs <= attemptContext(call).deadline;
}

/** Waits for work until the call must be answered. The work goes on after that, and nothing may depend on it. @throws Problem unavailable */
export function beforeAnswer<Value>(clock: Clock, call: CallContext, work: Promise<Value>): Promise<Value> {
  return untilTime(clock, call.deadline + afterDeadlineMs, work);
}

/** @throws Problem unavailable when the time is over */
export async function untilTime<Value>(clock: Clock, until: number, work: Promise<Value>): Promise<Value> {
  try {
    return await withTimeout(Math.max(1, until - clock.now()), 'this record', work);
  } catch (cause) {
    if (!(cause instanceof TimeoutError)) throw cause;
    throw new Problem('unavailable', 'The state of this service took too long; ask again.', {
      retryAfterSeconds: 5,
      cause,
    });
  }
}
