import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Call, Clock } from '../call.ts';
import { faultFields } from '../log.ts';
import { Problem } from '../problem.ts';
import type { FulfilmentsTable, StoredFulfilment } from '../state/fulfilments.ts';
import { begin, type FulfilmentRecord, type Input, next, type Rejection } from './machine.ts';

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
   * @throws Problem unavailable
   */
  resume(call: Call, stored: StoredFulfilment<Request, Result>): Promise<boolean>;
}

const writeRounds = 8;
/** How long a repeat waits for whoever is at work on the record, and how often it looks. */
const waitMs = 8000;
const lookMs = 200;
const nothingSent = new Set(['unknown_user', 'store_id_expired', 'unavailable']);

export function fulfilmentEngine<Request, Result, Identity>(
  kind: FulfilmentKind<Request, Result, Identity>,
  table: FulfilmentsTable<Request, Result>,
  clock: Clock,
): Engine<Request, Result, Identity> {
  type Stored = StoredFulfilment<Request, Result>;

  /** Takes a record through a transition, from where others leave it meanwhile. Null: it does not take it any more. */
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

  const submit: Engine<Request, Result, Identity>['submit'] = async (call, userId, id, request, given) => {
    let found: Stored | undefined;
    for (let round = 0; round < writeRounds; round += 1) {
      if (found && found.state !== 'void') {
        const outcome = await repeat(call, found, request, given);
        if (outcome) return outcome;
      } else {
        const record = begin<Request, Result>(userId, id, request, randomUUID(), clock.now());
        const [written, identity] = await Promise.allSettled([
          table.write(record, found),
          given === undefined ? kind.identity(call, record) : given,
        ]);
        if (written.status === 'rejected') throw written.reason;
        if (written.value !== 'conflict') return create(call, written.value, identity);
        const rival = await table.get(userId, id);
        if (rival?.creator === record.creator) return create(call, rival, identity);
      }
      found = await table.get(userId, id);
    }
    throw contended();
  };

  const create = async (
    call: Call,
    stored: Stored,
    identity: PromiseSettledResult<Identity>,
  ): Promise<Submitted<Request, Result>> => {
    if (identity.status === 'fulfilled') return perform(call, stored, identity.value, true);
    const problem = problemOf(identity.reason);
    // Without an effect and without anyone told, it is as if it had not been asked. Else it waits like any other.
    if (nothingSent.has(problem.code) && (await advance(stored, { type: 'void' }))) throw problem;
    return conclude(call, stored, { outcome: 'unknown', why: problem.code }, true);
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
    const taken = await advance(now, { type: 'attempt', now: clock.now(), by: 'caller' });
    if (!taken) return conclude(call, now, { outcome: 'unknown', why: 'in the hands of another request' }, false);
    try {
      return await perform(call, taken, given ?? (await kind.identity(call, taken)), false);
    } catch (fault) {
      return conclude(call, taken, { outcome: 'unknown', why: problemOf(fault).code }, false);
    }
  };

  const perform = async (call: Call, stored: Stored, identity: Identity, byCreator: boolean) => {
    const outcome = await kind.attempt(call, stored, identity).catch((fault: unknown): Outcome<Result> => {
      return { outcome: 'unknown', why: problemOf(fault).code };
    });
    return conclude(call, stored, outcome, byCreator);
  };

  /** Writes the outcome down. If that fails it is not known any more: recovery finds it out again. */
  const conclude = async (
    call: Call,
    stored: Stored,
    outcome: Outcome<Result>,
    byCreator: boolean,
  ): Promise<Submitted<Request, Result>> => {
    try {
      if (outcome.outcome === 'completed') await kind.keep(stored, outcome.result);
      if (outcome.outcome === 'unknown') call.log('warn', 'fulfilment.pending', { id: stored.id, why: outcome.why });
      const after = await advance(stored, inputOf(outcome, byCreator, clock.now()));
      if (!after) return { record: (await table.get(stored.userId, stored.id)) ?? stored, replayed: true };
      if (after.eventOwed) await tell(call, after);
      return { record: after, replayed: false };
    } catch (fault) {
      call.log('error', 'fulfilment.notWritten', {
        id: stored.id,
        outcome: outcome.outcome,
        ...faultFields(problemOf(fault)),
      });
      return { record: stored, replayed: false };
    }
  };

  /** A failure leaves the record in the recovery timer's list. */
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

  const resume: Engine<Request, Result, Identity>['resume'] = async (call, stored) => {
    if (stored.eventOwed) return tell(call, stored);
    const taken = await advance(stored, { type: 'attempt', now: clock.now(), by: 'recovery' });
    if (!taken) return false;
    const identity = await kind.identity(call, taken).catch((fault: unknown) => problemOf(fault));
    if (identity instanceof Problem) await conclude(call, taken, { outcome: 'unknown', why: identity.code }, false);
    else await perform(call, taken, identity, false);
    return true;
  };

  return { submit, resume };
}

function inputOf<Result>(outcome: Outcome<Result>, byCreator: boolean, now: number): Input<Result> {
  if (outcome.outcome === 'completed') return { type: 'complete', now, byCreator, result: outcome.result };
  if (outcome.outcome === 'rejected') return { type: 'reject', now, byCreator, rejection: outcome.rejection };
  return { type: 'report' };
}

function contended(): Problem {
  return new Problem('unavailable', 'Others keep changing this record.', { retryAfterSeconds: 1 });
}

/** Whatever is no problem is a fault of ours, and goes on to the boundary. */
function problemOf(fault: unknown): Problem {
  if (fault instanceof Problem) return fault;
  throw fault;
}
