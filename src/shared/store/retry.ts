/** When an operation may be sent again; declared per operation, never by method (architecture.md 3). */
export interface RetryPolicy {
  /** At most so many attempts in all. */
  attempts: number;
  /** No readable answer, and 5xx: the Store may have acted. */
  onNoResponse: boolean;
  /** 429: the Store has not acted. */
  onThrottling: boolean;
}

/** For calls that change nothing: a fourth attempt after three failures is worth its time. */
export const readRetryPolicy: RetryPolicy = { attempts: 4, onNoResponse: true, onThrottling: true };

/**
 * For changes that carry a stored id: one more attempt at once, which mostly brings the answer that was lost. Later attempts, and those
 * after a 429, are made by the recovery timer: the caller does not wait for them.
 */
export const idempotentRetryPolicy: RetryPolicy = { attempts: 2, onNoResponse: true, onThrottling: false };

/** A `Retry-After` up to this long is waited out; a longer one is passed on to the caller (http-api.md 1). */
const longestWaitMs = 5000;
const baseMs = 200;
/** A wait that leaves less time than this for the answer is not worth it. */
export const leastWorkMs = 1000;

export function isRetriable(outcome: number | 'noResponse', policy: RetryPolicy): boolean {
  if (outcome === 429) return policy.onThrottling;
  if (outcome === 'noResponse' || outcome === 408 || outcome >= 500) return policy.onNoResponse;
  return false;
}

/** Full jitter around a doubling pause, or what the Store asks for if that is longer. */
export function backoffMs(attempts: number, retryAfterMs: number | null, random: number): number {
  const pause = baseMs * 2 ** (attempts - 1) * (0.5 + random);
  return Math.max(pause, retryAfterMs ?? 0);
}

export function canWait(waitMs: number, remainingMs: number): boolean {
  return waitMs <= longestWaitMs && waitMs + leastWorkMs <= remainingMs;
}
