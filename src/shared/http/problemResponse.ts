import type { HttpResponseInit } from '@azure/functions';
import { Problem, problemCodes } from '../contract/problems.ts';
import { faultFields, type LogFields, type LogLevel, stackFields } from '../lib/log.ts';
import { TimeoutError } from '../lib/timeout.ts';

/** The problem that the caller gets for what was thrown. Details of a fault of this service stay in the log. */
export function problemFromFault(fault: unknown): Problem {
  if (fault instanceof Problem) return fault;
  if (fault instanceof TimeoutError) {
    return new Problem(
      'unavailable',
      'This took too long. Send the same request again, with the same ids, after the seconds of Retry-After.',
      { retryAfterSeconds: 5, cause: fault },
    );
  }
  return new Problem(
    'internal',
    'This service failed. Its operator finds the cause in the log by the correlation id.',
    { cause: fault },
  );
}

/** A problem as `application/problem+json` (http-api.md 1). */
export function problemResponse(problem: Problem, correlationId: string): HttpResponseInit & { status: number } {
  const { errors, retryAfterSeconds, store } = problem.details;
  return {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      'x-correlation-id': correlationId,
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    },
    body: JSON.stringify({
      type: `/problems/${problem.code}`,
      title: problemCodes[problem.code][1],
      status: problem.status,
      detail: problem.message,
      code: problem.code,
      correlationId,
      errors,
      retryAfterSeconds,
      store,
    }),
  };
}

export function logLevelOf({ code, status }: Problem): LogLevel {
  if (code === 'internal') return 'error';
  return status >= 500 ? 'warn' : 'info';
}

/** The log fields of a problem. The detail of an invalid request is left out: it is always the same. A fault here shows its stack. */
export function problemFields({ code, message, details: { store, cause, wrongFields } }: Problem): LogFields {
  return {
    code,
    ...(code !== 'invalid_request' && { detail: message }),
    ...(wrongFields && { wrong: wrongFields.join(' ') }),
    ...(store && {
      storeStatus: store.status,
      storeCode: store.code,
      storeCorrelationId: store.correlationId,
      cv: store.cv,
    }),
    ...(cause !== undefined && faultFields(cause)),
    ...(code === 'internal' && stackFields(cause)),
  };
}
