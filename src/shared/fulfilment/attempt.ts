import { Problem } from '../contract/problems.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { StoredFulfilment } from '../state/fulfilments.ts';
import { NothingSentError } from '../store/response.ts';
import { concludeAttempt } from './conclude.ts';
import { problemOrThrow } from './reason.ts';
import { attemptContext, hasTimeForAttempt, untilTime } from './times.ts';
import type { Actor, FulfilmentParts, Outcome, Submitted } from './types.ts';

/** Attempts a leased record and concludes it. A result that is known already needs no further attempt. */
export async function attemptAndConclude<Request, Result, Identity>(
  parts: FulfilmentParts<Request, Result, Identity>,
  call: CallContext,
  leased: StoredFulfilment<Request, Result>,
  actor: Actor,
  requestIdentity?: Identity,
): Promise<Submitted<Request, Result>> {
  const { handler } = parts;
  if (leased.result !== null) {
    return concludeAttempt(parts, call, leased, actor, { outcome: 'completed', result: leased.result });
  }
  const identity =
    requestIdentity === undefined ? handler.identity(attemptContext(call), leased) : Promise.resolve(requestIdentity);
  return concludeAttempt(parts, call, leased, actor, await attempt(parts, call, leased, identity));
}

/** Asks the Store. A Problem: the outcome is not known; NothingSentError: the Store was not asked. */
export async function attempt<Request, Result, Identity>(
  { handler, clock }: FulfilmentParts<Request, Result, Identity>,
  call: CallContext,
  leased: StoredFulfilment<Request, Result>,
  identity: Promise<Identity>,
): Promise<Outcome<Result> | Problem> {
  const context = attemptContext(call);
  const found = await untilTime(clock, context.deadline, identity).then(
    (value) => ({ value }),
    (fault: unknown) => new NothingSentError(problemOrThrow(fault)),
  );
  if (found instanceof Problem) return found;
  // Without time for the answer the Store may act, and nobody would know.
  if (!hasTimeForAttempt(call, clock)) {
    return new NothingSentError(
      new Problem('unavailable', 'There was too little time to ask the Store; ask again.', { retryAfterSeconds: 5 }),
    );
  }
  return handler.attempt(context, leased, found.value).catch(problemOrThrow);
}
