import { statementOf } from '../../src/shared/store/errors.ts';
import type { StoreAnswer } from '../../src/shared/store/transport.ts';

/** An answer of the Store, as the transport returns it. */
export const answer = (status: number, body: unknown): StoreAnswer => ({
  status,
  body,
  retryAfterSeconds: null,
  statement: statementOf(status, {}, body),
});
/** The body of an error, as documented. */
export const refusal = (code: string, inner?: string) => ({
  code,
  data: [],
  details: [],
  ...(inner !== undefined && { innererror: { code: inner } }),
});
