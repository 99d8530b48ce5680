import type { Health } from '../contract/operations.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields } from '../lib/log.ts';

const freshMs = 30_000;

type CheckName = Health['checks'][number]['name'];
/** Resolves when the dependency works; throws when it does not. */
export type Check = (call: CallContext) => Promise<unknown>;

/** Checks the dependencies, at most once in 30 s however many ask (http-api.md 2.12). */
export function createHealthProbe(
  checks: Record<CheckName, Check>,
  clock: Clock,
): (call: CallContext) => Promise<Health> {
  let latest: { result: Promise<Health>; startedAt: number } | undefined;
  return (call) => {
    const now = clock.now();
    if (!latest || now - latest.startedAt >= freshMs) latest = { result: runChecks(checks, call), startedAt: now };
    return latest.result;
  };
}

async function runChecks(checks: Record<CheckName, Check>, call: CallContext): Promise<Health> {
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
}
