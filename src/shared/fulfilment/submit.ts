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

/** How long a repeat waits while another request has the lease, and how often it reads the record. */
const leaseWaitMs = 8000;
const leasePollMs = 200;
/** Problems of the identity after which nothing was sent. */
const nothingSentCodes = new Set(['unknown_user', 'store_id_expired', 'unavailable']);
/** A request that still waits this long after its deadline is answered "pending". */
const afterDeadlineMs = 5000;

/** One request to fulfil. */
interface Submission<Request, Identity> {
  call: CallContext;
  userId: string;
  id: string;
  request: Request;
  /** Came with the request; used instead of the stored identity. */
  requestIdentity: Identity | undefined;
}

/** A record that this request writes, and the identity, which is read at the same time. */
interface Creation<Request, Result, Identity> {
  record: FulfilmentRecord<Request, Result>;
  identity: Promise<Identity>;
}

export function createSubmit<Request, Result, Identity>(
  fulfilmentParts: FulfilmentParts<Request, Result, Identity>,
): Submit<Request, Result, Identity> {
  const parts = { ...fulfilmentParts, writer: createRecordWriter(fulfilmentParts) };
  const { table, writer } = parts;
  return (call, userId, id, request, requestIdentity) => {
    const submission = { call, userId, id, request, requestIdentity };
    let creation: Creation<Request, Result, Identity> | undefined;
    return updateWithRetry<StoredFulfilment<Request, Result> | undefined, Submitted<Request, Result>>(
      undefined,
      () => table.get(userId, id),
      async (found) => {
        if (found && found.state !== 'void') {
          const repeated = answerRepeat(parts, submission, found);
          return (await answerInTime(parts, call, found, repeated)) ?? 'conflict';
        }
        creation = startCreation(parts, submission);
        const { record, identity } = creation;
        const written = await table.write(record, found).catch((fault: unknown) => {
          // The write may have succeeded all the same.
          void writer.voidRecord(call, record);
          throw fault;
        });
        if (written === 'conflict') return written;
        return answerInTime(parts, call, written, answerCreator(parts, call, written, identity));
      },
      {
        ...recordUpdate,
        resultAfterConflict: (found) =>
          creation && found?.creator === creation.record.creator
            ? answerInTime(parts, call, found, answerCreator(parts, call, found, creation.identity))
            : undefined,
      },
    );
  };
}

function startCreation<Request, Result, Identity>(
  { handler, clock }: EngineParts<Request, Result, Identity>,
  { call, userId, id, request, requestIdentity }: Submission<Request, Identity>,
): Creation<Request, Result, Identity> {
  const record = createRecord<Request, Result>(userId, id, request, randomUUID(), clock.now());
  const identity =
    requestIdentity === undefined ? handler.identity(attemptContext(call), record) : Promise.resolve(requestIdentity);
  // `answerCreator` awaits it, if this request writes the record. Until then a failure is not an unhandled one.
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
    return await withTimeout(Math.max(1, call.deadline + afterDeadlineMs - clock.now()), 'this record', work);
  } catch (fault) {
    if (!(fault instanceof TimeoutError)) throw fault;
    void writer.ensureEventPublished(call, stored);
    return { record: stored, replayed: false };
  }
}

/** The answer to the request that created the record. */
async function answerCreator<Request, Result, Identity>(
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
  if (nothingSentCodes.has(found.code)) {
    // Nothing was sent and no caller was answered: the record is voided. If it cannot be voided any more, it stays pending.
    const voided = await writer.applyTransition(stored, { type: 'void' }).catch((fault: unknown) => {
      void writer.voidRecord(call, stored);
      throw fault;
    });
    if (voided) throw found;
  }
  return writer.recordOutcome(call, stored, { outcome: 'unknown', why: found.code }, 'creator');
}

/** The answer to a repeat; null if the record was voided meanwhile. */
async function answerRepeat<Request, Result, Identity>(
  parts: EngineParts<Request, Result, Identity>,
  { call, request, requestIdentity }: Submission<Request, Identity>,
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
  if (leased) return attemptAsUser(parts, call, leased, 'repeat', requestIdentity);
  const leasedElsewhere = { outcome: 'unknown', why: 'leased to another request' } as const;
  const observed = await writer.recordOutcome(call, current, leasedElsewhere, 'observer');
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
    await clock.sleep(leasePollMs);
    current = await table.get(stored.userId, stored.id);
  }
  return current;
}
