/** What of an operation may be sent again, declared per operation, never by method (design.md 3). */
export interface RetryRule {
  /** At most so many attempts in all. */
  attempts: number;
  /** No readable answer, and 5xx: the Store may have acted. */
  afterSilence: boolean;
  /** 429: the Store has not acted. */
  afterThrottling: boolean;
}

/** For calls that change nothing: an answer after three failures in a row is still worth having. */
export const readRule: RetryRule = { attempts: 4, afterSilence: true, afterThrottling: true };

/**
 * For changes that carry a persisted id: once more at once, since an answer that was lost is most often there the second time. The
 * rest is the recovery timer's; a 429 too, which the caller need not wait for.
 */
export const idempotentRule: RetryRule = { attempts: 2, afterSilence: true, afterThrottling: false };

/** A `Retry-After` up to this long is waited out, a longer one is the caller's to keep (http-api.md 1). */
const longestWaitMs = 5000;
const baseMs = 200;
/** What an answer still needs after the wait: else the caller is better told now. */
const leastWorkMs = 1000;

export function retriable(outcome: number | 'silence', rule: RetryRule): boolean {
  if (outcome === 429) return rule.afterThrottling;
  if (outcome === 'silence' || outcome === 408 || outcome >= 500) return rule.afterSilence;
  return false;
}

/** Full jitter around a doubling pause, or what the Store asks for if that is longer. */
export function backoffMs(attempts: number, retryAfterMs: number | null, random: number): number {
  const pause = baseMs * 2 ** (attempts - 1) * (0.5 + random);
  return Math.max(pause, retryAfterMs ?? 0);
}

export function canWait(waitMs: number, leftMs: number): boolean {
  return waitMs <= longestWaitMs && waitMs + leastWorkMs <= leftMs;
}
