import { Problem } from '../contract/problems.ts';
import type { Rejection } from './machine.ts';

const details: Record<Rejection['code'], string> = {
  insufficient_quantity: 'The user does not own that many of this product, or does not own it at all.',
  store_rejected: 'The Store refused for good.',
};
/** Recovery looks for the first time after a minute. */
const retryAfterSeconds = 60;

export function rejectionProblem({ code, store }: Rejection): Problem {
  return new Problem(code, details[code], { store });
}

/** The headers of a pending answer: where the record is, and when to look again. */
export function recordPath(route: string, userId: string, id: string): Record<string, string> {
  return { location: `/api/${route}/${encodeURIComponent(userId)}/${id}`, 'retry-after': String(retryAfterSeconds) };
}
