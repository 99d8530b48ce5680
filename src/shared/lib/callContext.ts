import type { Log } from './log.ts';

/** The context of one invocation. */
export interface CallContext {
  correlationId: string;
  log: Log;
  /** Until when it may wait (epoch ms). */
  deadline: number;
}
