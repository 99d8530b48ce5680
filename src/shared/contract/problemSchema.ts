import * as z from 'zod';
import { storeErrorInfo } from './consume.ts';
import { type ProblemCode, problemCodes } from './problems.ts';

/** `application/problem+json` as it is sent (http-api.md 1). */
export const problem = z
  .object({
    type: z.string().describe('A URI reference that ends in the code'),
    title: z.string(),
    status: z.int32(),
    detail: z.string().describe('What the caller or the operator can do about it'),
    code: z.enum(Object.keys(problemCodes) as [ProblemCode, ...ProblemCode[]]).describe('What a caller branches on'),
    correlationId: z.string().describe('Finds the request in the log'),
    errors: z
      .array(
        z.object({
          path: z.string().describe('A JSON Pointer into `{path, query, body}`'),
          message: z.string(),
        }),
      )
      .optional(),
    retryAfterSeconds: z.int32().optional(),
    store: storeErrorInfo.optional(),
  })
  .meta({ id: 'Problem', description: 'Why a request was not done (RFC 9457).' });
