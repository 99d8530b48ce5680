import { CronExpressionParser } from 'cron-parser';
import { type FunctionsApp, type HostedFunction, type LogSink, triggerOf } from './functionsApp.ts';

/** setTimeout cannot wait longer than this. A later tick takes several waits. */
const longestWaitMs = 2 ** 31 - 1;

export interface TimerClock {
  now(): number;
  /** Calls back once after `ms`; returns what cancels it. */
  after(ms: number, callback: () => void): () => void;
}

export const systemTimerClock: TimerClock = {
  now: Date.now,
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

export interface Timers {
  /** Runs a timer now, after its current run if there is one. False: no timer of this name. */
  fire(name: string): boolean;
  stop(): void;
}

export interface TimerOptions {
  app: FunctionsApp;
  log: LogSink;
  clock?: TimerClock;
  /** false: only `fire` runs them. */
  scheduled: boolean;
  env: Record<string, string | undefined>;
}

/**
 * Runs timer functions by their NCRONTAB schedule in UTC: one run of each at a time, a tick during a run waits for its end.
 * @throws Error if a schedule cannot be read
 */
export function startTimers({ app, log, clock = systemTimerClock, scheduled, env }: TimerOptions): Timers {
  const timers = new Map<string, { run: () => void; cancel: () => void }>();
  for (const hosted of app.functions.values()) {
    if (triggerOf(hosted).type !== 'timerTrigger') continue;
    const schedule = scheduleOf(hosted, env);
    nextTick(schedule, clock.now());
    timers.set(hosted.name, timer(hosted, schedule));
  }

  function timer(hosted: HostedFunction, schedule: string) {
    let last: Promise<void> = Promise.resolve();
    let lastRun = 0;
    let cancel = (): void => undefined;
    const invoke = async (): Promise<void> => {
      const started = clock.now();
      const argument = timerArgument(lastRun, nextTick(schedule, started));
      lastRun = started;
      try {
        await app.invoke(hosted, { json: JSON.stringify(argument) });
      } catch (fault) {
        log('error', hosted.name, `The timer failed: ${fault instanceof Error ? fault.message : 'unknown'}`);
      }
    };
    const run = (): void => {
      last = last.then(invoke);
    };
    const wait = (until: number): void => {
      const left = until - clock.now();
      cancel = clock.after(Math.min(Math.max(left, 0), longestWaitMs), () => {
        if (clock.now() < until) return wait(until);
        run();
        // The next tick is counted from the end of this run: ticks that were missed are not repeated.
        last.then(() => wait(nextTick(schedule, Math.max(clock.now(), until))));
      });
    };
    if (scheduled) wait(nextTick(schedule, clock.now()));
    return { run, cancel: () => cancel() };
  }

  return {
    fire(name) {
      timers.get(name)?.run();
      return timers.has(name);
    },
    stop() {
      for (const { cancel } of timers.values()) cancel();
    },
  };
}

function scheduleOf(hosted: HostedFunction, env: Record<string, string | undefined>): string {
  const { schedule = '' } = triggerOf(hosted);
  const setting = /^%(.+)%$/.exec(schedule)?.[1];
  return setting === undefined ? schedule : (env[setting] ?? '');
}

function nextTick(schedule: string, now: number): number {
  return CronExpressionParser.parse(schedule, {
    currentDate: new Date(now),
    tz: 'UTC',
    strict: schedule.split(' ').length === 6,
  })
    .next()
    .toDate()
    .getTime();
}

/** The timer's argument, in the shape that Azure's host passes. */
function timerArgument(last: number, next: number) {
  return {
    Schedule: { AdjustForDST: true },
    ScheduleStatus: {
      Last: last === 0 ? '0001-01-01T00:00:00' : new Date(last).toISOString(),
      Next: new Date(next).toISOString(),
      LastUpdated: last === 0 ? '0001-01-01T00:00:00' : new Date(last).toISOString(),
    },
    IsPastDue: false,
  };
}
