import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields } from '../lib/log.ts';
import type { FulfilmentRecord, FulfilmentsTable, StoredFulfilment } from '../state/fulfilments.ts';
import { applyTransition } from './applyTransition.ts';
import { problemOrThrow } from './reason.ts';
import { beforeAnswer } from './times.ts';

/** Voids a record whose caller is answered that nothing was sent. False: another request has taken it up, and it stays pending. */
export type VoidRecord<Request, Result> = (
  call: CallContext,
  record: FulfilmentRecord<Request, Result>,
  stored?: StoredFulfilment<Request, Result>,
) => Promise<boolean>;

/** At most this many records wait to be voided. */
const waitingLimit = 1000;
/** Pauses between the tries, for all that wait: about two minutes. */
const pausesMs = [1000, 2000, 4000, 8000, 15_000, 30_000, 60_000];

/**
 * If the tables fail, the voiding is tried again in the background. That is a courtesy and not guaranteed: a record that stays is taken
 * up by the recovery, and its outcome is told by an event.
 */
export function createVoidRecord<Request, Result>(
  table: FulfilmentsTable<Request, Result>,
  clock: Clock,
): VoidRecord<Request, Result> {
  const later = createLater(clock);

  const tryVoid = async (
    { userId, id, creator }: FulfilmentRecord<Request, Result>,
    stored?: StoredFulfilment<Request, Result>,
  ): Promise<boolean> => {
    const found = stored ?? (await table.get(userId, id));
    return found !== undefined && (await applyTransition(table, found, { type: 'void', creator })) !== null;
  };

  return async (call, record, stored) => {
    try {
      return await beforeAnswer(clock, call, tryVoid(record, stored));
    } catch (fault) {
      const { userId, id } = record;
      call.log('warn', 'fulfilment.notVoided', { userId, id, ...faultFields(problemOrThrow(fault)) });
      later(() => tryVoid(record));
      return true;
    }
  };
}

/** Runs work that failed again, one at a time; a round ends at the first failure. What has not succeeded after the last pause is dropped. */
function createLater(clock: Clock): (work: () => Promise<unknown>) => void {
  let waiting: { work: () => Promise<unknown>; rounds: number }[] = [];
  let running = false;

  const runRound = async (): Promise<void> => {
    while (waiting[0]) {
      try {
        await waiting[0].work();
      } catch {
        // Logged by the request that failed first; here the next round tries again.
        return;
      }
      waiting.shift();
    }
  };
  const run = async (): Promise<void> => {
    for (let round = 0; waiting.length > 0; round += 1) {
      await clock.sleep(pausesMs[Math.min(round, pausesMs.length - 1)] as number);
      await runRound();
      waiting = waiting
        .map((one) => ({ ...one, rounds: one.rounds + 1 }))
        .filter(({ rounds }) => rounds < pausesMs.length);
    }
    running = false;
  };

  return (work) => {
    if (waiting.length >= waitingLimit) return;
    waiting.push({ work, rounds: 0 });
    if (running) return;
    running = true;
    void run();
  };
}
