import { storeErrorInfo } from '../../src/shared/store/errors.ts';
import type { StoreResponse } from '../../src/shared/store/response.ts';

/** What the Store answers, as the transport returns it. */
export const answer = (status: number, body: unknown): StoreResponse => ({
  status,
  body,
  retryAfterSeconds: null,
  error: storeErrorInfo(status, {}, body),
});

/** The documented body of an error. */
export const refusal = (code: string, inner?: string) => ({
  code,
  data: [],
  details: [],
  ...(inner !== undefined && { innererror: { code: inner } }),
});
