import type { Log } from './log.ts';

/** What one invocation carries along: its correlation id, its log, and until when it may wait (epoch ms). */
export interface CallContext {
  correlationId: string;
  log: Log;
  deadline: number;
}
