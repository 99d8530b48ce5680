import type { HttpResult } from './serve.ts';

/** The first time the recovery looks at a pending record. */
const retryAfterSeconds = 60;

/**
 * A consume or grant as an HTTP answer (http-api.md 2.4, 2.5): `statusWhenCompleted`, or 202 with the path of its record.
 */
export function fulfilmentResult(
  view: { state: 'completed' } | { state: 'pending' },
  statusWhenCompleted: 200 | 201,
  recordPath: string,
): HttpResult {
  if (view.state === 'completed') return { status: statusWhenCompleted, body: view };
  return {
    status: 202,
    headers: { location: recordPath, 'retry-after': String(retryAfterSeconds) },
    body: view,
  };
}
