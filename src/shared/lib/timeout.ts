/** A wait that ended before its work did. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * Waits for work until `ms` are over, and no longer. The work itself goes on; its later outcome is ignored.
 * @throws TimeoutError
 */
export async function withTimeout<Value>(
  ms: number,
  what: string,
  work: Promise<Value>,
  onTimeout?: (timeout: TimeoutError) => void,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const timeout = new TimeoutError(`${what} took longer than ${ms} ms`);
      reject(timeout);
      onTimeout?.(timeout);
    }, ms);
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Gives work a signal that fires after `ms`, and stops waiting then even if the work ignores it.
 * @throws TimeoutError
 */
export function withAbortTimeout<Value>(
  ms: number,
  what: string,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const controller = new AbortController();
  return withTimeout(ms, what, work(controller.signal), (timeout) => controller.abort(timeout));
}
