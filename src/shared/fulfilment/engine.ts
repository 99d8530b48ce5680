import { randomUUID } from 'node:crypto';
import { Problem } from '../contract/problems.ts';
import type { Call, Clock } from '../lib/callContext.ts';
import { inTime, TimedOut } from '../lib/timeout.ts';
import type { FulfilmentsTable, StoredFulfilment } from '../state/fulfilments.ts';
import { begin, type FulfilmentRecord, type Rejection } from './machine.ts';
import { type Attempter, contended, problemOf, settling, writeRounds } from './recordWriter.ts';

/** What an attempt came to. `unknown`: neither done nor refused as documented, so it is asked again. */
export type Outcome<Result> =
  | { outcome: 'completed'; result: Result }
  | { outcome: 'rejected'; rejection: Rejection }
  | { outcome: 'unknown'; why: string };

/** What tells one kind of fulfilment (consume, grant) from another. */
export interface FulfilmentKind<Request, Result, Identity> {
  /** Whether a repeat under the same id asks for the same. */
  same(a: Request, b: Request): boolean;
  /** As whom the Store is asked: reads and renews keys, changes nothing. @throws Problem */
  identity(call: Call, record: FulfilmentRecord<Request, Result>): Promise<Identity>;
  /** Asks the Store for the change. @throws Problem: the outcome is not known */
  attempt(call: Call, record: FulfilmentRecord<Request, Result>, identity: Identity): Promise<Outcome<Result>>;
  /** Writes what a later clawback needs: before the record says completed, and idempotent. @throws Problem unavailable */
  keep(record: FulfilmentRecord<Request, Result>, result: Result): Promise<void>;
  /** Puts the outcome into the outbox, once however often it is called. @throws Problem unavailable */
  announce(record: FulfilmentRecord<Request, Result>): Promise<void>;
}

export interface Submitted<Request, Result> {
  record: FulfilmentRecord<Request, Result>;
  /** It was settled before this request. */
  replayed: boolean;
}

export interface Engine<Request, Result, Identity> {
  /**
   * Fulfils a request once, however often it is submitted: the record first, then the Store, then the proof, then the record again.
   * A record that is still `open` means pending. `given` stands in for the stored identity, in this call alone.
   * @throws Problem tracking_id_reused; unknown_user, store_id_expired, unavailable: nothing was sent
   */
  submit(
    call: Call,
    userId: string,
    id: string,
    request: Request,
    given?: Identity,
  ): Promise<Submitted<Request, Result>>;
  /**
   * Attempts a record that nobody is at work on, or tells an outcome that is still owed. False: its place in the list is unchanged.
   * Pauses grow with the attempts of the recovery timer alone.
   * @throws Problem unavailable
   */
  resume(call: Call, stored: StoredFulfilment<Request, Result>, by: 'caller' | 'recovery'): Promise<boolean>;
}

/** How long a repeat waits for whoever is at work on the record, and how often it looks. */
const waitMs = 8000;
const lookMs = 200;
const nothingSent = new Set(['unknown_user', 'store_id_expired', 'unavailable']);
/** What is left of a request's time for writing down what its attempt came to, and what an attempt needs to be worth it. */
const writeMs = 12_000;
const leastAttemptMs = 2000;
/** After its deadline a request is answered that the record is pending, whatever it still waits for. */
const answerLateMs = 5000;

export function fulfilmentEngine<Request, Result, Identity>(
  kind: FulfilmentKind<Request, Result, Identity>,
  table: FulfilmentsTable<Request, Result>,
  clock: Clock,
): Engine<Request, Result, Identity> {
  type Stored = StoredFulfilment<Request, Result>;
  const { advance, conclude, tell, giveUp, makeUpFor } = settling(kind, table, clock);
  const attemptCall = (call: Call): Call => ({ ...call, deadline: call.deadline - writeMs });

  const submit: Engine<Request, Result, Identity>['submit'] = async (call, userId, id, request, given) => {
    let found: Stored | undefined;
    for (let round = 0; round < writeRounds; round += 1) {
      if (found && found.state !== 'void') {
        const outcome = await answered(call, found, repeat(call, found, request, given));
        if (outcome) return outcome;
      } else {
        const record = begin<Request, Result>(userId, id, request, randomUUID(), clock.now());
        const identity = given === undefined ? kind.identity(attemptCall(call), record) : Promise.resolve(given);
        // Whether it failed is asked only if the record is this request's.
        identity.catch(() => undefined);
        const written = await table.write(record, found).catch((fault: unknown) => {
          // It may have come through.
          void giveUp(call, record);
          throw fault;
        });
        if (written !== 'conflict') return answered(call, written, create(call, written, identity));
        found = await table.get(userId, id);
        if (found?.creator === record.creator) return answered(call, found, create(call, found, identity));
        continue;
      }
      found = await table.get(userId, id);
    }
    throw contended();
  };

  /** What is at work goes on without the caller, and owes an event for its outcome. */
  const answered = async <Value>(call: Call, stored: Stored, work: Promise<Value>) => {
    try {
      return await inTime(Math.max(1, call.deadline + answerLateMs - clock.now()), 'this record', work);
    } catch (fault) {
      if (!(fault instanceof TimedOut)) throw fault;
      void makeUpFor(call, stored);
      return { record: stored, replayed: false };
    }
  };

  const create = async (
    call: Call,
    stored: Stored,
    identity: Promise<Identity>,
  ): Promise<Submitted<Request, Result>> => {
    const found = await identity.catch((fault: unknown) => {
      if (fault instanceof Problem) return fault;
      void giveUp(call, stored);
      throw fault;
    });
    if (!(found instanceof Problem)) return perform(call, stored, found, 'creator');
    if (nothingSent.has(found.code)) {
      // Without an effect and without anyone told, it is as if it had not been asked. Else it waits like any other.
      const gone = await advance(stored, { type: 'void' }).catch((fault: unknown) => {
        void giveUp(call, stored);
        throw fault;
      });
      if (gone) throw found;
    }
    return conclude(call, stored, { outcome: 'unknown', why: found.code }, 'creator');
  };

  /** The answer to a repeat; null if the record was given up meanwhile. */
  const repeat = async (
    call: Call,
    stored: Stored,
    request: Request,
    given: Identity | undefined,
  ): Promise<Submitted<Request, Result> | null> => {
    if (!kind.same(stored.request, request)) {
      throw new Problem('tracking_id_reused', 'This id was used for this user with other parameters.');
    }
    let now: Stored | undefined = stored;
    const until = clock.now() + waitMs;
    while (now?.state === 'open' && clock.now() < Math.min(now.attemptedUntil, until)) {
      await clock.sleep(lookMs);
      now = await table.get(stored.userId, stored.id);
    }
    if (!now || now.state === 'void') return null;
    if (now.state !== 'open') return { record: now, replayed: true };
    const taken = await advance(now, { type: 'attempt', now: clock.now(), holder: randomUUID(), by: 'caller' });
    if (!taken) {
      const elsewhere = { outcome: 'unknown', why: 'in the hands of another request' } as const;
      const told = await conclude(call, now, elsewhere, 'bystander');
      return told.record.state === 'void' ? null : told;
    }
    const identity = given ?? (await kind.identity(attemptCall(call), taken).catch(problemOf));
    if (identity instanceof Problem) return conclude(call, taken, { outcome: 'unknown', why: identity.code }, 'repeat');
    return perform(call, taken, identity, 'repeat');
  };

  const perform = async (call: Call, stored: Stored, identity: Identity, by: Attempter) => {
    // Sent now it would be done with nobody there to hear of it.
    if (!hasTime(call)) return conclude(call, stored, { outcome: 'unknown', why: 'no time is left' }, by);
    const outcome = await kind.attempt(attemptCall(call), stored, identity).catch((fault: unknown): Outcome<Result> => {
      return { outcome: 'unknown', why: problemOf(fault).code };
    });
    return conclude(call, stored, outcome, by);
  };

  const hasTime = (call: Call): boolean => clock.now() + leastAttemptMs <= attemptCall(call).deadline;

  const resume: Engine<Request, Result, Identity>['resume'] = async (call, stored, by) => {
    if (stored.eventOwed) return tell(call, stored);
    if (!hasTime(call)) return false;
    const taken = await advance(stored, { type: 'attempt', now: clock.now(), holder: randomUUID(), by });
    if (!taken) return false;
    const identity = await kind.identity(attemptCall(call), taken).catch(problemOf);
    if (identity instanceof Problem)
      await conclude(call, taken, { outcome: 'unknown', why: identity.code }, 'recovery');
    else await perform(call, taken, identity, 'recovery');
    return true;
  };

  return { submit, resume };
}
