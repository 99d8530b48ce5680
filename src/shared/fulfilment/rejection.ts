import { Problem, type StoreErrorInfo } from '../contract/problems.ts';
import type { Rejection } from '../state/fulfilments.ts';

const details: Record<Rejection['code'], string> = {
  insufficient_quantity: 'The user does not own that many of this product, or does not own it at all.',
  store_rejected: 'The Store refused for good.',
};

/** What the caller of a rejected consume or grant is answered with. */
export function rejectionProblem({
  code,
  store,
}: {
  code: Rejection['code'];
  store?: StoreErrorInfo | undefined;
}): Problem {
  return new Problem(code, details[code], store && { store });
}
