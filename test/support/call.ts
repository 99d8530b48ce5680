import type { CallContext } from '../../src/shared/lib/callContext.ts';
import type { Clock } from '../../src/shared/lib/clock.ts';
import { structuredLog } from '../../src/shared/lib/log.ts';

/** A call that keeps its log lines. */
export function testCall(over: Partial<CallContext> = {}): CallContext & { lines: string[] } {
  const lines: string[] = [];
  return {
    correlationId: 'test',
    log: structuredLog((level, line) => lines.push(`${level} ${line}`), 'test'),
    deadline: Date.now() + 45_000,
    lines,
    ...over,
  };
}

/** A clock that moves only by `advance` and `sleep`. */
export function testClock(
  start = Date.parse('2026-11-22T06:35:00.000Z'),
): Clock & { advance(ms: number): void; slept: number[] } {
  let now = start;
  const slept: number[] = [];
  return {
    now: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
    advance: (ms) => {
      now += ms;
    },
    slept,
  };
}
