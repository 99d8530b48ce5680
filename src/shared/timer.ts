import { randomUUID } from 'node:crypto';
import { app } from '@azure/functions';
import type { CallContext } from './lib/callContext.ts';
import { systemClock } from './lib/clock.ts';
import { faultFields, invocationLog, type LogFields, stackFields, structuredLog } from './lib/log.ts';

/** A run must end before the host's default limit of 5 minutes on small plans. */
const runMs = 4.5 * 60_000;

/** Registers a timer function: the boundary of runs without a caller. A failed run is logged, and fails for the host too. */
export function schedule(name: string, ncrontab: string, work: (call: CallContext) => Promise<object>): void {
  app.timer(name, {
    schedule: ncrontab,
    handler: async (_timer, context) => {
      const correlationId = randomUUID();
      const lines = invocationLog(context);
      const log = structuredLog(lines.write, correlationId);
      try {
        const outcome = await work({ correlationId, log, deadline: systemClock.now() + runMs });
        log('info', 'run', { function: name, ...(outcome as LogFields) });
      } catch (fault) {
        log('error', 'runFailed', { function: name, ...faultFields(fault), ...stackFields(fault) });
        throw new Error(`${name} failed`, { cause: fault });
      } finally {
        lines.end();
      }
    },
  });
}
