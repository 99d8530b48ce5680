import { Problem } from '../contract/problems.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import type { StoredFulfilment } from '../state/fulfilments.ts';
import { type Actor, type EngineParts, type Outcome, problemOrThrow, type Submitted } from './types.ts';

/** The part of a request's time that is reserved for writing the outcome. */
const writeMs = 12_000;
/** With less time than this, no attempt is made. */
const leastAttemptMs = 2000;

/** The context of an attempt: it ends early enough for its outcome to be written. */
export function attemptContext(call: CallContext): CallContext {
  return { ...call, deadline: call.deadline - writeMs };
}

export function hasTimeForAttempt(call: CallContext, clock: Clock): boolean {
  return clock.now() + leastAttemptMs <= attemptContext(call).deadline;
}

/** Asks the Store as the record's user, and records the outcome. A missing identity leaves the record pending. */
export async function attemptAsUser<Request, Result, Identity>(
  parts: EngineParts<Request, Result, Identity>,
  call: CallContext,
  leased: StoredFulfilment<Request, Result>,
  actor: Actor,
  requestIdentity?: Identity,
): Promise<Submitted<Request, Result>> {
  const identity =
    requestIdentity ?? (await parts.handler.identity(attemptContext(call), leased).catch(problemOrThrow));
  if (!(identity instanceof Problem)) return attempt(parts, call, leased, identity, actor);
  return parts.writer.recordOutcome(call, leased, { outcome: 'unknown', why: identity.code }, actor);
}

/** Asks the Store, and records the outcome. */
export async function attempt<Request, Result, Identity>(
  parts: EngineParts<Request, Result, Identity>,
  call: CallContext,
  leased: StoredFulfilment<Request, Result>,
  identity: Identity,
  actor: Actor,
): Promise<Submitted<Request, Result>> {
  // Without time for the answer the Store may act, and nobody would know.
  if (!hasTimeForAttempt(call, parts.clock)) {
    return parts.writer.recordOutcome(
      call,
      leased,
      { outcome: 'unknown', why: 'too little time for an attempt' },
      actor,
    );
  }
  const outcome = await parts.handler
    .attempt(attemptContext(call), leased, identity)
    .catch((fault: unknown): Outcome<Result> => ({ outcome: 'unknown', why: problemOrThrow(fault).code }));
  return parts.writer.recordOutcome(call, leased, outcome, actor);
}
