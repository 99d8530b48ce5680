import { randomUUID } from 'node:crypto';
import { Problem } from '../contract/problems.ts';
import type { CallContext } from '../lib/callContext.ts';
import { TimeoutError, withTimeout } from '../lib/timeout.ts';
import type { FulfilmentRecord, StoredFulfilment } from '../state/fulfilments.ts';
import { updateWithRetry } from '../state/updateWithRetry.ts';
import { recordUpdate } from './applyTransition.ts';
import { attempt, attemptAsUser, attemptContext } from './attempt.ts';
import { createRecord } from './machine.ts';
import { createRecordWriter } from './recordWriter.ts';
import type { EngineParts, FulfilmentParts, Submit, Submitted } from './types.ts';

/** How long a repeat waits while another request has the lease, and how often it looks. */
const leaseWaitMs = 8000;
const lookMs = 200;
const nothingSent = new Set(['unknown_user', 'store_id_expired', 'unavailable']);
/** After its deadline a request is answered that the record is pending, whatever it still waits for. */
const answerLateMs = 5000;

/** One request to fulfil. */
interface Submission<Request, Identity> {
  call: CallContext;
  userId: string;
  id: string;
  request: Request;
  /** Stands in for the stored identity. */
  given: Identity | undefined;
}

/** A record that this request writes, and the identity that is read meanwhile. */
interface Creation<Request, Result, Identity> {
  record: FulfilmentRecord<Request, Result>;
  identity: Promise<Identity>;
}

export function createSubmit<Request, Result, Identity>(
  fulfilmentParts: FulfilmentParts<Request, Result, Identity>,
): Submit<Request, Result, Identity> {
  const parts = { ...fulfilmentParts, writer: createRecordWriter(fulfilmentParts) };
  const { table, writer } = parts;
  return (call, userId, id, request, given) => {
    const submission = { call, userId, id, request, given };
    let creation: Creation<Request, Result, Identity> | undefined;
    return updateWithRetry<StoredFulfilment<Request, Result> | undefined, Submitted<Request, Result>>(
      undefined,
      () => table.get(userId, id),
      async (found) => {
        if (found && found.state !== 'void') {
          const repeated = repeat(parts, submission, found);
          return (await answerInTime(parts, call, found, repeated)) ?? 'conflict';
        }
        creation = beginCreation(parts, submission);
        const { record, identity } = creation;
        const written = await table.write(record, found).catch((fault: unknown) => {
          // The write may have succeeded all the same.
          void writer.voidRecord(call, record);
          throw fault;
        });
        if (written === 'conflict') return written;
        return answerInTime(parts, call, written, create(parts, call, written, identity));
      },
      {
        ...recordUpdate,
        resultAfterConflict: (found) =>
          creation && found?.creator === creation.record.creator
            ? answerInTime(parts, call, found, create(parts, call, found, creation.identity))
            : undefined,
      },
    );
  };
}

function beginCreation<Request, Result, Identity>(
  { handler, clock }: EngineParts<Request, Result, Identity>,
  { call, userId, id, request, given }: Submission<Request, Identity>,
): Creation<Request, Result, Identity> {
  const record = createRecord<Request, Result>(userId, id, request, randomUUID(), clock.now());
  const identity = given === undefined ? handler.identity(attemptContext(call), record) : Promise.resolve(given);
  // Read while the record is written. A failure matters only if the record becomes this request's, which then awaits it.
  identity.catch(() => undefined);
  return { record, identity };
}

/** Answers "pending" when the time is over. The work goes on without the caller, so its outcome needs an event. */
async function answerInTime<Request, Result, Identity, Value>(
  { clock, writer }: EngineParts<Request, Result, Identity>,
  call: CallContext,
  stored: StoredFulfilment<Request, Result>,
  work: Promise<Value>,
): Promise<Value | Submitted<Request, Result>> {
  try {
    return await withTimeout(Math.max(1, call.deadline + answerLateMs - clock.now()), 'this record', work);
  } catch (fault) {
    if (!(fault instanceof TimeoutError)) throw fault;
    void writer.ensureEventPublished(call, stored);
    return { record: stored, replayed: false };
  }
}

/** The answer to the request that created the record. */
async function create<Request, Result, Identity>(
  parts: EngineParts<Request, Result, Identity>,
  call: CallContext,
  stored: StoredFulfilment<Request, Result>,
  identity: Promise<Identity>,
): Promise<Submitted<Request, Result>> {
  const { writer } = parts;
  const found = await identity.catch((fault: unknown) => {
    if (fault instanceof Problem) return fault;
    void writer.voidRecord(call, stored);
    throw fault;
  });
  if (!(found instanceof Problem)) return attempt(parts, call, stored, found, 'creator');
  if (nothingSent.has(found.code)) {
    // Nothing was sent, and nobody was answered: it is as if it had not been asked. If that cannot be, it stays pending.
    const voided = await writer.applyTransition(stored, { type: 'void' }).catch((fault: unknown) => {
      void writer.voidRecord(call, stored);
      throw fault;
    });
    if (voided) throw found;
  }
  return writer.recordOutcome(call, stored, { outcome: 'unknown', why: found.code }, 'creator');
}

/** The answer to a repeat; null if the record was voided meanwhile. */
async function repeat<Request, Result, Identity>(
  parts: EngineParts<Request, Result, Identity>,
  { call, request, given }: Submission<Request, Identity>,
  stored: StoredFulfilment<Request, Result>,
): Promise<Submitted<Request, Result> | null> {
  const { handler, clock, writer } = parts;
  if (!handler.isSameRequest(stored.request, request)) {
    throw new Problem('tracking_id_reused', 'This id was used for this user with other parameters.');
  }
  const current = await waitForLease(parts, stored);
  if (!current || current.state === 'void') return null;
  if (current.state !== 'pending') return { record: current, replayed: true };
  const leased = await writer.applyTransition(current, {
    type: 'attempt',
    now: clock.now(),
    leaseId: randomUUID(),
    by: 'caller',
  });
  if (leased) return attemptAsUser(parts, call, leased, 'repeat', given);
  const elsewhere = { outcome: 'unknown', why: 'leased to another request' } as const;
  const observed = await writer.recordOutcome(call, current, elsewhere, 'observer');
  return observed.record.state === 'void' ? null : observed;
}

/** The record once its lease has ended, or after a while. */
async function waitForLease<Request, Result, Identity>(
  { table, clock }: EngineParts<Request, Result, Identity>,
  stored: StoredFulfilment<Request, Result>,
): Promise<StoredFulfilment<Request, Result> | undefined> {
  const until = clock.now() + leaseWaitMs;
  let current: StoredFulfilment<Request, Result> | undefined = stored;
  while (current?.state === 'pending' && clock.now() < Math.min(current.leaseExpiresAt, until)) {
    await clock.sleep(lookMs);
    current = await table.get(stored.userId, stored.id);
  }
  return current;
}
