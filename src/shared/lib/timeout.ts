/** A wait that ended before its work did. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

/**
 * Waits for work until `ms` are over, and no longer. What it comes to after that is nobody's concern any more.
 * @throws TimedOut
 */
export async function inTime<Value>(
  ms: number,
  what: string,
  work: Promise<Value>,
  expired?: (timedOut: TimedOut) => void,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const timedOut = new TimedOut(`${what} took longer than ${ms} ms`);
      reject(timedOut);
      expired?.(timedOut);
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
 * @throws TimedOut
 */
export function within<Value>(ms: number, what: string, work: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
  const controller = new AbortController();
  return inTime(ms, what, work(controller.signal), (timedOut) => controller.abort(timedOut));
}
