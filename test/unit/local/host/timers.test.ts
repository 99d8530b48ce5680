import { expect, test } from 'vitest';
import type { FunctionsApp, HostedFunction, TriggerData } from '../../../../local/host/functionsApp.ts';
import { startTimers, type TimerClock } from '../../../../local/host/timers.ts';

/** A clock that moves only by `to`, which calls every waiter in turn. */
function steppedClock(start: string): TimerClock & { to(time: string): Promise<void> } {
  let now = Date.parse(start);
  let waiters: { at: number; call: () => void }[] = [];
  return {
    now: () => now,
    after(ms, call) {
      const waiter = { at: now + ms, call };
      waiters.push(waiter);
      return () => {
        waiters = waiters.filter((other) => other !== waiter);
      };
    },
    async to(time) {
      for (;;) {
        const next = waiters.filter(({ at }) => at <= Date.parse(time)).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        waiters = waiters.filter((other) => other !== next);
        now = Math.max(now, next.at);
        next.call();
        await new Promise(setImmediate);
      }
      now = Date.parse(time);
    },
  };
}

function timers(schedule: string, start: string, run: () => Promise<void> = async () => undefined) {
  const clock = steppedClock(start);
  const runs: { at: string; argument: Record<string, unknown> }[] = [];
  const lines: string[] = [];
  const sweep: HostedFunction = {
    name: 'sweep',
    callback: () => undefined,
    bindings: { timer: { type: 'timerTrigger', direction: 'in', schedule } },
  };
  const app: FunctionsApp = {
    functions: new Map([['sweep', sweep]]),
    terminate: async () => undefined,
    async invoke(_hosted, data: TriggerData) {
      runs.push({ at: new Date(clock.now()).toISOString(), argument: JSON.parse('json' in data ? data.json : '{}') });
      await run();
      return {};
    },
  };
  const log = (_level: string, source: string, message: string) => lines.push(`${source} ${message}`);
  const options = { app, log, clock, scheduled: true, env: { EVERY: '0 0 * * * *' } };
  return { timers: startTimers(options), clock, runs, lines };
}

test('a timer runs at its times in UTC, with the argument of the host', async () => {
  const { clock, runs } = timers('0 */5 * * * *', '2026-11-22T06:31:00.000Z');
  await clock.to('2026-11-22T06:44:59.000Z');
  expect(runs.map(({ at }) => at)).toEqual(['2026-11-22T06:35:00.000Z', '2026-11-22T06:40:00.000Z']);
  expect(runs[1]?.argument).toEqual({
    Schedule: { AdjustForDST: true },
    ScheduleStatus: {
      Last: '2026-11-22T06:35:00.000Z',
      Next: '2026-11-22T06:45:00.000Z',
      LastUpdated: '2026-11-22T06:35:00.000Z',
    },
    IsPastDue: false,
  });
});

test('one run at a time, also of those that are started by request; a failure is logged and does not end the timer', async () => {
  let release = (): void => undefined;
  const {
    clock,
    runs,
    timers: started,
    lines,
  } = timers('%EVERY%', '2026-11-22T06:31:00.000Z', () =>
    runs.length === 1
      ? new Promise<void>((resolve) => (release = () => resolve()))
      : Promise.reject(new Error('broken')),
  );
  expect([started.fire('sweep'), started.fire('sweep'), started.fire('other')]).toEqual([true, true, false]);
  await new Promise(setImmediate);
  expect(runs).toHaveLength(1);
  release();
  await new Promise(setImmediate);
  expect(runs).toHaveLength(2);
  expect(lines).toEqual(['sweep The timer failed: broken']);
  await clock.to('2026-11-22T07:00:00.000Z');
  expect(runs).toHaveLength(3);
  started.stop();
  await clock.to('2026-11-22T10:00:00.000Z');
  expect(runs).toHaveLength(3);
});

test('a run that is later than setTimeout can wait comes once, at its time', async () => {
  const { clock, runs } = timers('0 0 0 1 6 *', '2026-01-01T00:00:00.000Z');
  await clock.to('2026-06-02T00:00:00.000Z');
  expect(runs.map(({ at }) => at)).toEqual(['2026-06-01T00:00:00.000Z']);
});
