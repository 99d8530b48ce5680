/** Faults that the next requests to an emulator meet. */

import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { sendJson } from './https.ts';

export const serviceFault = z.strictObject({
  /** How many requests meet it; null = all from now on. */
  times: z.int().min(1).nullable().default(1),
  latencyMs: z.int().min(0).default(0),
  /** Answered in place of the real answer; without it the request goes on after the wait. */
  status: z.int().min(200).max(599).optional(),
  /** Destroys the connection. */
  drop: z.boolean().default(false),
});
export type ServiceFault = z.input<typeof serviceFault>;

export interface ServiceFaults {
  add(fault: ServiceFault): void;
  clear(): void;
  /** Lets a request meet its fault; true if that was its answer. */
  met(response: ServerResponse): Promise<boolean>;
}

export function serviceFaults(): ServiceFaults {
  const armed: z.output<typeof serviceFault>[] = [];
  return {
    add: (fault) => {
      armed.push(serviceFault.parse(fault));
    },
    clear: () => {
      armed.length = 0;
    },
    async met(response) {
      const fault = armed[0];
      if (!fault) return false;
      if (fault.times !== null) {
        fault.times -= 1;
        if (fault.times === 0) armed.shift();
      }
      if (fault.latencyMs > 0) await sleep(fault.latencyMs);
      if (fault.drop) response.destroy();
      else if (fault.status !== undefined)
        sendJson(response, fault.status, { error: { code: 'Injected', message: 'An injected fault.' } });
      return fault.drop || fault.status !== undefined;
    },
  };
}
