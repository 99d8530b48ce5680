import { randomUUID } from 'node:crypto';
import type { Call, Clock } from '../call.ts';
import { Problem } from '../problem.ts';
import type { FulfilmentsTable, StoredFulfilment } from '../state/fulfilments.ts';
import { begin, type FulfilmentRecord, type Rejection } from './machine.ts';
import { contended, problemOf, settling, writeRounds } from './settle.ts';

/**
 * What an attempt came to. `unknown`: neither done nor refused as documented, so it is asked again; not `released` (default: it is):
 * someone else is still at work on it.
 */
export type Outcome<Result> =
  | { outcome: 'completed'; result: Result }
  | { outcome: 'rejected'; rejection: Rejection }
  | { outcome: 'unknown'; why: string; released?: boolean };

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

/** How long a repeat waits for whoever is at work on the record, and how often it looks. */
const waitMs = 8000;
const lookMs = 200;
const nothingSent = new Set(['unknown_user', 'store_id_expired', 'unavailable']);
const elsewhere = { outcome: 'unknown', why: 'in the hands of another request', released: false } as const;

export function fulfilmentEngine<Request, Result, Identity>(
  kind: FulfilmentKind<Request, Result, Identity>,
  table: FulfilmentsTable<Request, Result>,
  clock: Clock,
): Engine<Request, Result, Identity> {
  type Stored = StoredFulfilment<Request, Result>;
  const { advance, conclude, tell } = settling(kind, table, clock);

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
    if (identity.status === 'fulfilled') return perform(call, stored, identity.value, 'creator');
    const problem = problemOf(identity.reason);
    // Without an effect and without anyone told, it is as if it had not been asked. Else it waits like any other.
    if (nothingSent.has(problem.code) && (await advance(stored, { type: 'void' }))) throw problem;
    return conclude(call, stored, { outcome: 'unknown', why: problem.code }, 'creator');
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
    if (!taken) return conclude(call, now, elsewhere, 'other');
    try {
      return await perform(call, taken, given ?? (await kind.identity(call, taken)), 'other');
    } catch (fault) {
      return conclude(call, taken, { outcome: 'unknown', why: problemOf(fault).code }, 'other');
    }
  };

  const perform = async (call: Call, stored: Stored, identity: Identity, by: 'creator' | 'other') => {
    const outcome = await kind.attempt(call, stored, identity).catch((fault: unknown): Outcome<Result> => {
      return { outcome: 'unknown', why: problemOf(fault).code };
    });
    return conclude(call, stored, outcome, by);
  };

  const resume: Engine<Request, Result, Identity>['resume'] = async (call, stored) => {
    if (stored.eventOwed) return tell(call, stored);
    const taken = await advance(stored, { type: 'attempt', now: clock.now(), by: 'recovery' });
    if (!taken) return false;
    const identity = await kind.identity(call, taken).catch((fault: unknown) => problemOf(fault));
    if (identity instanceof Problem) await conclude(call, taken, { outcome: 'unknown', why: identity.code }, 'other');
    else await perform(call, taken, identity, 'other');
    return true;
  };

  return { submit, resume };
}
