import { waitsForPlayer } from '../contract/pendingReason.ts';
import { Problem } from '../contract/problems.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { inParallel } from '../lib/inParallel.ts';
import { faultFields } from '../lib/log.ts';
import { processWorkList } from '../lib/workList.ts';
import {
  type DueEntry,
  type DueKind,
  type FulfilmentsTable,
  fulfilmentShards,
  isDueEntryOf,
} from '../state/fulfilments.ts';
import { problemOrThrow } from './reason.ts';
import { untilTime } from './times.ts';
import type { Resume, Resumed } from './types.ts';

/** One kind of fulfilment, with its lists of what is due. */
export interface RecoverySource<Request, Result> {
  /** In the log: consume, grant. */
  name: string;
  table: FulfilmentsTable<Request, Result>;
  resume: Resume<Request, Result>;
}

/** Processes what is due of every kind, until nothing is or the time is over. Returns the counts. @throws Problem unavailable */
export type Recover = (call: CallContext) => Promise<Record<string, number | boolean>>;

/** What a run did with one kind. */
type RunCount = Record<Resumed, number> & { timeOver: boolean };

const budgetMs = 4 * 60_000;
/** The most time for one record. */
const recordMs = 30_000;
/** Entries of one shard that are read at a time. */
const pageSize = 100;
const usersAtOnce = 32;
const shardsAtOnce = 8;
/** The records that remain are counted up to so many in each shard. */
const countedLimit = 1000;
const stuckMs = 24 * 3600_000;

// biome-ignore lint/suspicious/noExplicitAny: sources of different requests and results run side by side.
export function createRecovery(sources: RecoverySource<any, any>[], clock: Clock): Recover {
  return async (call) => {
    const runs = await Promise.allSettled(sources.map((source) => recover(source, clock, call)));
    // All runs must have ended before this returns: the invocation ends with it.
    const counts = runs.map((run, index) => {
      if (run.status === 'rejected') throw run.reason;
      return Object.entries(run.value).map(([name, value]) => [`${sources[index]?.name}.${name}`, value]);
    });
    return Object.fromEntries(counts.flat());
  };
}

/** Pending events first, which need no Store call, in half of the time at most; then attempts. */
async function recover<Request, Result>(
  source: RecoverySource<Request, Result>,
  clock: Clock,
  call: CallContext,
): Promise<Record<string, number | boolean>> {
  const startedAt = clock.now();
  const until = Math.min(startedAt + budgetMs, call.deadline - recordMs);
  const count: RunCount = { settled: 0, pending: 0, skipped: 0, timeOver: false };
  const processDue = async (kind: DueKind, kindUntil: number): Promise<void> => {
    const { remaining } = await processWorkList(
      {
        shards: fulfilmentShards,
        pageSize,
        // A processed entry becomes due after `startedAt`: this run does not read it again.
        readPage: (shard, afterKey) => source.table.due(kind, shard, startedAt, pageSize, afterKey),
      },
      // One user's records are processed one after the other: two that lost their order ids must not match the same order.
      { clock, until: kindUntil, width: usersAtOnce },
      async (entry) => {
        const resumed = await processEntry(source, clock, call, entry);
        if (resumed) count[resumed] += 1;
        return resumed !== 'skipped';
      },
    );
    count.timeOver ||= remaining;
  };
  await processDue('event', startedAt + (until - startedAt) / 2);
  await processDue('attempt', until);
  return { ...count, ...(await pendingNow(source, clock, call)) };
}

/**
 * What is pending after the run, due or not; `waiting`: for its player, which the age leaves out. Nothing if that cannot be read in time: it does not make the
 * run a failed one.
 */
async function pendingNow(
  { name, table }: Pick<RecoverySource<unknown, unknown>, 'name' | 'table'>,
  clock: Clock,
  call: CallContext,
): Promise<Record<string, number>> {
  const shards = Array.from({ length: fulfilmentShards }, (_, shard) => shard);
  const reading = inParallel(shards, shardsAtOnce, (shard) =>
    table.due('attempt', shard, Number.POSITIVE_INFINITY, countedLimit),
  );
  const found = await untilTime(clock, call.deadline, reading).catch(problemOrThrow);
  if (found instanceof Problem) {
    call.log('warn', `${name}.notCounted`, faultFields(found));
    return {};
  }
  const entries = found.flat();
  const waiting = entries.filter(({ waits }) => waits).length;
  const oldest = entries
    .filter(({ waits }) => !waits)
    .reduce((since, entry) => Math.min(since, entry.since), clock.now());
  return { remaining: entries.length, waiting, oldestAgeMinutes: Math.floor((clock.now() - oldest) / 60_000) };
}

/** What became of the record; undefined if the entry was not its current one. Never fails. */
async function processEntry<Request, Result>(
  { name, table, resume }: RecoverySource<Request, Result>,
  clock: Clock,
  call: CallContext,
  entry: DueEntry,
): Promise<Resumed | undefined> {
  const { userId, id } = entry;
  try {
    const stored = await table.get(userId, id);
    if (!stored || !isDueEntryOf(entry, stored)) {
      await table.removeDueEntry(entry);
      return undefined;
    }
    const { state, createdAt, reason, attempts } = stored;
    if (state === 'pending' && clock.now() - createdAt > stuckMs) {
      const about = { userId, id, since: new Date(createdAt).toISOString(), reason, attempts };
      if (waitsForPlayer(reason)) call.log('info', `${name}.waiting`, about);
      else call.log('error', `${name}.stuck`, about);
    }
    return await resume({ ...call, deadline: Math.min(call.deadline, clock.now() + recordMs) }, stored);
  } catch (fault) {
    call.log('error', `${name}.recoveryFailed`, { userId, id, ...faultFields(fault) });
    return 'skipped';
  }
}
