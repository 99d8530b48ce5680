/** A wait that ended before its work did. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

/**
 * Gives work a signal that fires after `ms`, and stops waiting then even if the work ignores it.
 * @throws TimedOut
 */
export async function within<Value>(
  ms: number,
  what: string,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const timedOut = new TimedOut(`${what} took longer than ${ms} ms`);
      reject(timedOut);
      controller.abort(timedOut);
    }, ms);
  });
  try {
    return await Promise.race([work(controller.signal), expiry]);
  } finally {
    clearTimeout(timer);
  }
}
