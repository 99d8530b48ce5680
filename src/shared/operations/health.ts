import type { Health } from '../contract/operations.ts';
import type { Call, Clock } from '../lib/callContext.ts';
import { faultFields } from '../lib/log.ts';

const freshMs = 30_000;

type CheckName = Health['checks'][number]['name'];
/** Resolves when the dependency works; throws when it does not. */
export type Check = (call: Call) => Promise<unknown>;

/** Looks at the dependencies, at most once in 30 s however many ask (http-api.md 2.12). */
export function healthProbe(checks: Record<CheckName, Check>, clock: Clock): (call: Call) => Promise<Health> {
  let latest: { result: Promise<Health>; at: number } | undefined;

  const look = async (call: Call): Promise<Health> => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => {
        try {
          await check(call);
          return { name: name as CheckName, ok: true };
        } catch (fault) {
          call.log('warn', 'health.failing', { check: name, ...faultFields(fault) });
          return { name: name as CheckName, ok: false };
        }
      }),
    );
    return { status: results.every(({ ok }) => ok) ? 'ok' : 'failing', checks: results };
  };

  return (call) => {
    const now = clock.now();
    if (!latest || now - latest.at >= freshMs) latest = { result: look(call), at: now };
    return latest.result;
  };
}
