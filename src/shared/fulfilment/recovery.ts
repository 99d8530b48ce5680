import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields } from '../lib/log.ts';
import { processWorkList, type WorkCount } from '../lib/workList.ts';
import {
  type DueEntry,
  type DueKind,
  type FulfilmentsTable,
  fulfilmentShards,
  isDueEntryOf,
} from '../state/fulfilments.ts';
import type { Resume } from './types.ts';

/** One kind of fulfilment, with its lists of what is due. */
export interface RecoverySource<Request, Result> {
  /** In the log: consume, grant. */
  name: string;
  table: FulfilmentsTable<Request, Result>;
  resume: Resume<Request, Result>;
}

/** Processes what is due of every kind, until nothing is or the time is over. Returns the counts. @throws Problem unavailable */
export type Recover = (call: CallContext) => Promise<Record<string, number | boolean>>;

const budgetMs = 4 * 60_000;
/** The most time for one record. */
const recordMs = 30_000;
/** Entries of one shard that are read at a time. */
const pageSize = 100;
const usersAtOnce = 32;
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
): Promise<WorkCount> {
  const startedAt = clock.now();
  const until = Math.min(startedAt + budgetMs, call.deadline - recordMs);
  const processDue = (kind: DueKind, kindUntil: number) =>
    processWorkList(
      {
        shards: fulfilmentShards,
        pageSize,
        // A processed entry becomes due after `startedAt`: this run does not read it again.
        readPage: (shard, afterKey) => source.table.due(kind, shard, startedAt, pageSize, afterKey),
      },
      // One user's records are processed one after the other: two that lost their order ids must not match the same order.
      { clock, until: kindUntil, width: usersAtOnce },
      (entry) => processEntry(source, clock, call, entry),
    );
  const events = await processDue('event', startedAt + (until - startedAt) / 2);
  const attempts = await processDue('attempt', until);
  return {
    processed: events.processed + attempts.processed,
    skipped: events.skipped + attempts.skipped,
    remaining: events.remaining || attempts.remaining,
  };
}

/** Whether the entry was processed; one that is skipped stays in the list. Never fails. */
async function processEntry<Request, Result>(
  { name, table, resume }: RecoverySource<Request, Result>,
  clock: Clock,
  call: CallContext,
  entry: DueEntry,
): Promise<boolean> {
  try {
    const stored = await table.get(entry.userId, entry.id);
    if (!stored || !isDueEntryOf(entry, stored)) {
      await table.removeDueEntry(entry);
      return true;
    }
    if (stored.state === 'pending' && clock.now() - stored.createdAt > stuckMs) {
      call.log('error', `${name}.stuck`, { id: entry.id, since: new Date(stored.createdAt).toISOString() });
    }
    return await resume({ ...call, deadline: Math.min(call.deadline, clock.now() + recordMs) }, stored);
  } catch (fault) {
    call.log('error', `${name}.recoveryFailed`, { id: entry.id, ...faultFields(fault) });
    return false;
  }
}
