import { statementOf } from '../../src/shared/store/errors.ts';
import type { StoreAnswer } from '../../src/shared/store/transport.ts';

/** What the Store answers, as the transport hands it on. */
export const answer = (status: number, body: unknown): StoreAnswer => ({
  ...{ status, body, retryAfterSeconds: null },
  statement: statementOf(status, {}, body),
});
/** The documented body of an error. */
export const refusal = (code: string, inner?: string) => ({
  code,
  data: [],
  details: [],
  ...(inner !== undefined && { innererror: { code: inner } }),
});
