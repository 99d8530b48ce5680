import type { Log } from './log.ts';

/** What one invocation carries along: whom it serves in the log, and until when it may wait (epoch ms). */
export interface Call {
  correlationId: string;
  log: Log;
  deadline: number;
}

/** Time as an effect, so that tests need not wait. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

export const systemClock: Clock = {
  now: Date.now,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
