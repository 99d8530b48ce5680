import { Problem, type StoreErrorInfo } from '../contract/problems.ts';
import type { Rejection } from '../state/fulfilments.ts';

const details: Record<Rejection['code'], string> = {
  insufficient_quantity:
    'The user does not own that many of this product, or does not own it at all: query the entitlements.',
  store_rejected: 'The Store refused for good, see store: correct the request, and send it with a new id.',
};

/** What the caller of a rejected consume or grant is answered with. `advice` is about this request. */
export function rejectionProblem(
  { code, store }: { code: Rejection['code']; store?: StoreErrorInfo | undefined },
  advice?: string,
): Problem {
  return new Problem(code, advice === undefined ? details[code] : `${details[code]} ${advice}`, store && { store });
}
