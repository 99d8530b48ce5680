import type { PendingReason } from '../contract/pendingReason.ts';
import { Problem, type ProblemCode } from '../contract/problems.ts';

const reasons: Partial<Record<ProblemCode, PendingReason>> = {
  store_throttled: 'store_throttled',
  store_unauthorized: 'store_unauthorized',
  unavailable: 'unavailable',
  store_id_expired: 'store_id_expired',
  // The user's keys were deleted meanwhile, or the purchase key was never there: the client must make one.
  unknown_user: 'store_id_expired',
  x_token_expired: 'x_token_required',
  xbox_rejected: 'x_token_required',
};

/** What keeps a record pending after this problem (http-api.md 2.4). A refusal that is not final is no usable answer of the Store. */
export function pendingReasonOf({ code }: Problem): PendingReason {
  return reasons[code] ?? 'store_unavailable';
}

/** @throws a fault that is no Problem: it is a fault of this service, for the boundary */
export function problemOrThrow(fault: unknown): Problem {
  if (fault instanceof Problem) return fault;
  throw fault;
}
