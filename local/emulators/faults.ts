/** Faults that are injected into the next requests to an emulator. */

import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { sendJson } from './https.ts';

export const serviceFault = z.strictObject({
  /** How many requests it is applied to; null = all from now on. */
  times: z.int().min(1).nullable().default(1),
  latencyMs: z.int().min(0).default(0),
  /** Is answered instead of the real answer. Without it the request continues after the wait. */
  status: z.int().min(200).max(599).optional(),
  /** Go with that answer: `retry-after`, say. */
  headers: z.record(z.string(), z.string()).default({}),
  /** Destroys the connection. */
  drop: z.boolean().default(false),
});
export type ServiceFault = z.input<typeof serviceFault>;

const injected = { error: { code: 'Injected', message: 'An injected fault.' } };

export interface ServiceFaults {
  add(fault: ServiceFault): void;
  clear(): void;
  /** Applies the next fault to a request; true if the request is answered by it. */
  apply(response: ServerResponse): Promise<boolean>;
}

export function serviceFaults(): ServiceFaults {
  const pending: z.output<typeof serviceFault>[] = [];
  return {
    add: (fault) => {
      pending.push(serviceFault.parse(fault));
    },
    clear: () => {
      pending.length = 0;
    },
    async apply(response) {
      const fault = pending[0];
      if (!fault) return false;
      if (fault.times !== null) {
        fault.times -= 1;
        if (fault.times === 0) pending.shift();
      }
      if (fault.latencyMs > 0) await sleep(fault.latencyMs);
      if (fault.drop) response.destroy();
      else if (fault.status !== undefined) sendJson(response, fault.status, injected, fault.headers);
      return fault.drop || fault.status !== undefined;
    },
  };
}
