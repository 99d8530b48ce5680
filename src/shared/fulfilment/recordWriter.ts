import { isDeepStrictEqual } from 'node:util';
import { Problem } from '../contract/problems.ts';
import type { Call, Clock } from '../lib/callContext.ts';
import { faultFields } from '../lib/log.ts';
import type { FulfilmentsTable, StoredFulfilment } from '../state/fulfilments.ts';
import type { FulfilmentKind, Outcome, Submitted } from './engine.ts';
import { type FulfilmentRecord, type Input, next } from './machine.ts';

export interface Settling<Request, Result> {
  /** Takes a record through a transition, from where others leave it meanwhile. Null: it does not take it any more. */
  advance(
    stored: StoredFulfilment<Request, Result>,
    input: Input<Result>,
  ): Promise<StoredFulfilment<Request, Result> | null>;
  /** Writes an outcome down. If that fails it is not known any more, and the record as it was is the answer. */
  conclude(
    call: Call,
    stored: StoredFulfilment<Request, Result>,
    outcome: Outcome<Result>,
    by: Attempter,
  ): Promise<Submitted<Request, Result>>;
  /** Announces a settled record. False: it stays in the recovery timer's list. */
  tell(call: Call, settled: StoredFulfilment<Request, Result>): Promise<boolean>;
  /** The creator was told that nothing was sent: its record, if it is there after all, is voided once that can be written. Never fails. */
  giveUp(call: Call, record: FulfilmentRecord<Request, Result>): Promise<void>;
  /** A caller is told "pending" of what is, or may yet be, settled by a write that owes no event: then it does after all. Never fails. */
  makeUpFor(call: Call, record: FulfilmentRecord<Request, Result>): Promise<void>;
}

/**
 * Whose outcome it is: of the request that created the record, of one that asks the same again, of one that finds it in another's
 * hands, or of the recovery timer, whom nobody waits for.
 */
export type Attempter = 'creator' | 'repeat' | 'bystander' | 'recovery';

export const writeRounds = 8;
/** An outcome that cannot be written is tried again so often: tables are mostly back by then, and the caller is still there. */
const conclusionPausesMs = [500, 1500];
/** How long an answer is followed up that the record may contradict: about two minutes. */
const followUpPausesMs = [1000, 2000, 4000, 8000, 15_000, 30_000, 60_000];

export function settling<Request, Result>(
  kind: Pick<FulfilmentKind<Request, Result, never>, 'keep' | 'announce'>,
  table: FulfilmentsTable<Request, Result>,
  clock: Clock,
): Settling<Request, Result> {
  type Stored = StoredFulfilment<Request, Result>;

  const advance = async (stored: Stored, input: Input<Result>): Promise<Stored | null> => {
    let now = stored;
    for (let round = 0; round < writeRounds; round += 1) {
      const after = next<Request, Result>(now, input);
      if (!after) return null;
      const written = await table.write(after, now);
      if (written !== 'conflict') return written;
      const found = await table.get(stored.userId, stored.id);
      if (!found) return null;
      // The SDK repeats a write whose answer it lost: the conflict may be with this very write.
      if (isDeepStrictEqual({ ...found, etag: '' }, { ...after, etag: '' })) return found;
      now = found;
    }
    throw contended();
  };

  const tell = async (call: Call, settled: Stored): Promise<boolean> => {
    try {
      await kind.announce(settled);
      await advance(settled, { type: 'announced' });
      return true;
    } catch (fault) {
      call.log('error', 'fulfilment.notAnnounced', { id: settled.id, ...faultFields(problemOf(fault)) });
      return false;
    }
  };

  const settle = async (call: Call, stored: Stored, outcome: Outcome<Result>, input: Input<Result>) => {
    if (outcome.outcome === 'completed') await kind.keep(stored, outcome.result);
    const after = await advance(stored, input);
    if (!after) return { record: (await table.get(stored.userId, stored.id)) ?? stored, replayed: true };
    if (after.eventOwed) await tell(call, after);
    return { record: after, replayed: false };
  };

  const conclude: Settling<Request, Result>['conclude'] = async (call, stored, outcome, by) => {
    if (outcome.outcome === 'unknown') call.log('warn', 'fulfilment.pending', { id: stored.id, why: outcome.why });
    const input = inputOf(outcome, by === 'creator', by === 'bystander' ? null : stored.holder, clock.now());
    const pauses = outcome.outcome === 'unknown' ? [] : [...conclusionPausesMs];
    for (;;) {
      try {
        return await settle(call, stored, outcome, input);
      } catch (fault) {
        const about = { id: stored.id, outcome: outcome.outcome, ...faultFields(problemOf(fault)) };
        call.log('error', 'fulfilment.notWritten', about);
      }
      const pause = pauses.shift();
      if (pause === undefined || clock.now() + pause > call.deadline) break;
      await clock.sleep(pause);
    }
    if (mayContradict(outcome, by)) void makeUpFor(call, stored);
    return { record: stored, replayed: false };
  };

  /** Looks at a record, as soon as the tables let it, until `work` is done with it. Not guaranteed if this process ends before. */
  const followUp = async (call: Call, userId: string, id: string, work: (found?: Stored) => Promise<boolean>) => {
    for (const pause of followUpPausesMs) {
      await clock.sleep(pause);
      try {
        if (await work(await table.get(userId, id))) return;
      } catch (fault) {
        call.log('warn', 'fulfilment.notFollowedUp', { id, ...faultFields(fault) });
      }
    }
  };

  const makeUpFor: Settling<Request, Result>['makeUpFor'] = (call, { userId, id }) =>
    followUp(call, userId, id, async (found) => {
      if (!found) return true;
      if (found.state === 'open') return (await advance(found, { type: 'report', holder: null })) !== null;
      const owed = await advance(found, { type: 'owe', now: clock.now() });
      if (owed) await tell(call, owed);
      return true;
    });

  const giveUp: Settling<Request, Result>['giveUp'] = (call, { userId, id, creator }) =>
    followUp(call, userId, id, async (found) => {
      // A write that was given up on may land yet.
      if (!found) return false;
      if (found.creator === creator) await advance(found, { type: 'void' });
      return true;
    });

  return { advance, conclude, tell, giveUp, makeUpFor };
}

function inputOf<Result>(
  outcome: Outcome<Result>,
  byCreator: boolean,
  holder: string | null,
  now: number,
): Input<Result> {
  if (outcome.outcome === 'completed') return { type: 'complete', now, byCreator, result: outcome.result };
  if (outcome.outcome === 'rejected') return { type: 'reject', now, byCreator, rejection: outcome.rejection };
  return { type: 'report', holder };
}

/** Whether a caller was told "pending" of a record that, unwritten as this outcome is, can be settled without an event. */
function mayContradict(outcome: Outcome<unknown>, by: Attempter): boolean {
  if (outcome.outcome === 'unknown') return by === 'repeat' || by === 'bystander';
  return by === 'creator';
}

export function contended(): Problem {
  return new Problem('unavailable', 'Others keep changing this record.', { retryAfterSeconds: 1 });
}

/** Whatever is no problem is a fault of ours, and goes on to the boundary. */
export function problemOf(fault: unknown): Problem {
  if (fault instanceof Problem) return fault;
  throw fault;
}
