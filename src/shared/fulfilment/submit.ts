import { randomUUID } from 'node:crypto';
import { Problem } from '../contract/problems.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { FulfilmentRecord, StoredFulfilment } from '../state/fulfilments.ts';
import { updateWithRetry } from '../state/updateWithRetry.ts';
import { NothingSentError } from '../store/response.ts';
import { applyTransition, recordUpdate } from './applyTransition.ts';
import { attempt, attemptAndConclude } from './attempt.ts';
import { concludeAttempt } from './conclude.ts';
import { createRecord } from './machine.ts';
import { attemptContext } from './times.ts';
import type { FulfilmentParts, Submit, Submitted } from './types.ts';
import { createVoidRecord, type VoidRecord } from './voiding.ts';

/** How long a repeat waits while another request has the lease. It reads the record at growing intervals. */
const leaseWaitMs = 8000;
const firstPollMs = 100;
const longestPollMs = 2000;
/** Problems that the caller gets, when nothing was sent: then no record stays. After others it is pending. */
const nothingSentCodes = new Set(['unknown_user', 'store_id_expired', 'store_unauthorized', 'unavailable']);

/** One request to fulfil. */
interface Submission<Request, Identity> {
  call: CallContext;
  userId: string;
  id: string;
  request: Request;
  /** Came with the request; used instead of the stored identity. */
  requestIdentity: Identity | undefined;
}

interface SubmitParts<Request, Result, Identity> extends FulfilmentParts<Request, Result, Identity> {
  voidRecord: VoidRecord<Request, Result>;
}

/** What the answer to a repeat that makes no attempt needs. */
type ObserverParts<Request, Result> = Pick<FulfilmentParts<Request, Result, never>, 'table' | 'clock'> & {
  handler: Pick<FulfilmentParts<Request, Result, never>['handler'], 'differingMember'>;
};

/** A record that this request writes, and the identity, which is read at the same time. */
interface Creation<Request, Result, Identity> {
  record: FulfilmentRecord<Request, Result>;
  identity: Promise<Identity>;
}

export function createSubmit<Request, Result, Identity>(
  fulfilmentParts: FulfilmentParts<Request, Result, Identity>,
): Submit<Request, Result, Identity> {
  const { table, clock } = fulfilmentParts;
  const parts = { ...fulfilmentParts, voidRecord: createVoidRecord(table, clock) };
  return (call, userId, id, request, requestIdentity) => {
    const submission = { call, userId, id, request, requestIdentity };
    let creation: Creation<Request, Result, Identity> | undefined;
    return updateWithRetry<StoredFulfilment<Request, Result> | undefined, Submitted<Request, Result>>(
      undefined,
      () => table.get(userId, id),
      async (found) => {
        if (found && found.state !== 'void') return (await answerRepeat(parts, submission, found)) ?? 'conflict';
        creation = startCreation(parts, submission);
        const { record, identity } = creation;
        const written = await table.write(record, found).catch(async (fault: unknown) => {
          // The write may have succeeded all the same.
          await parts.voidRecord(call, record);
          throw fault;
        });
        return written === 'conflict' ? written : answerCreator(parts, call, written, identity);
      },
      {
        ...recordUpdate,
        resultAfterConflict: (found) =>
          creation && found?.creator === creation.record.creator
            ? answerCreator(parts, call, found, creation.identity)
            : undefined,
      },
    );
  };
}

function startCreation<Request, Result, Identity>(
  { handler, clock }: FulfilmentParts<Request, Result, Identity>,
  { call, userId, id, request, requestIdentity }: Submission<Request, Identity>,
): Creation<Request, Result, Identity> {
  const by = { creator: randomUUID(), requestIdentity: requestIdentity !== undefined };
  const record = createRecord<Request, Result>(userId, id, request, by, clock.now());
  const identity =
    requestIdentity === undefined ? handler.identity(attemptContext(call), record) : Promise.resolve(requestIdentity);
  // `answerCreator` awaits it, if this request writes the record. Until then a failure is not an unhandled one.
  identity.catch(() => undefined);
  return { record, identity };
}

/**
 * The answer to the request that created the record. `conflict`: the record is void, and another request has begun the id anew.
 * @throws Problem if nothing was sent and the record is void
 */
async function answerCreator<Request, Result, Identity>(
  parts: SubmitParts<Request, Result, Identity>,
  call: CallContext,
  stored: StoredFulfilment<Request, Result>,
  identity: Promise<Identity>,
): Promise<Submitted<Request, Result> | 'conflict'> {
  const outcome = await attempt(parts, call, stored, identity);
  if (outcome instanceof NothingSentError && nothingSentCodes.has(outcome.code)) {
    if (await parts.voidRecord(call, stored, stored)) throw outcome;
    const current = await parts.table.get(stored.userId, stored.id);
    if (current?.creator !== stored.creator) return 'conflict';
  }
  return concludeAttempt(parts, call, stored, 'creator', outcome);
}

/** The answer to a repeat; null if the record was voided meanwhile. */
async function answerRepeat<Request, Result, Identity>(
  parts: FulfilmentParts<Request, Result, Identity>,
  { call, request, requestIdentity }: Submission<Request, Identity>,
  stored: StoredFulfilment<Request, Result>,
): Promise<Submitted<Request, Result> | null> {
  const { table, clock } = parts;
  assertSameRequest(parts, stored, request);
  const current = await waitForLease(parts, stored);
  if (!current || current.state === 'void') return null;
  // While this request waited, the id may have been begun anew.
  assertSameRequest(parts, current, request);
  if (current.state !== 'pending') return { record: current, replayed: true };
  const needsRequestIdentity = current.byRequestIdentity && current.result === null;
  if (needsRequestIdentity && requestIdentity === undefined) return answerWithoutIdentity(parts, current, request);
  // What may have been sent with the stored identity is never sent with another one.
  const identity = current.byRequestIdentity || current.attempts === 0 ? requestIdentity : undefined;
  const leased = await applyTransition(table, current, {
    type: 'attempt',
    now: clock.now(),
    leaseId: randomUUID(),
    by: 'caller',
    byRequestIdentity: identity !== undefined,
  });
  if (!leased) return answerObserver(parts, current, request);
  return attemptAndConclude(parts, call, leased, 'repeat', identity);
}

/** @throws Problem tracking_id_reused */
function assertSameRequest<Request, Result>(
  { handler }: Pick<ObserverParts<Request, Result>, 'handler'>,
  stored: StoredFulfilment<Request, Result>,
  request: Request,
): void {
  const member = handler.differingMember(stored.request, request);
  if (member === undefined) return;
  throw new Problem('tracking_id_reused', `This id was used for this user with another ${member}: take a new id.`);
}

/** The answer to a repeat without the identity that the record needs: it says so, unless an attempt is under way. */
async function answerWithoutIdentity<Request, Result>(
  parts: ObserverParts<Request, Result>,
  current: StoredFulfilment<Request, Result>,
  request: Request,
): Promise<Submitted<Request, Result> | null> {
  const event = { type: 'wait', now: parts.clock.now(), reason: 'x_token_required' } as const;
  const waiting = await applyTransition(parts.table, current, event);
  return waiting ? { record: waiting, replayed: false } : answerObserver(parts, current, request);
}

/**
 * The answer to a repeat that makes no attempt. It is "pending" only once the record says so, so that its outcome has an event; null if
 * the record was voided meanwhile. @throws Problem unavailable
 */
async function answerObserver<Request, Result>(
  parts: ObserverParts<Request, Result>,
  current: StoredFulfilment<Request, Result>,
  request: Request,
): Promise<Submitted<Request, Result> | null> {
  const { table } = parts;
  const reported =
    (await applyTransition(table, current, { type: 'reportPending' })) ?? (await table.get(current.userId, current.id));
  if (!reported || reported.state === 'void') return null;
  assertSameRequest(parts, reported, request);
  return { record: reported, replayed: reported.state !== 'pending' };
}

/** The record once its lease has ended, or after a while. */
async function waitForLease<Request, Result>(
  { table, clock }: Pick<FulfilmentParts<Request, Result, never>, 'table' | 'clock'>,
  stored: StoredFulfilment<Request, Result>,
): Promise<StoredFulfilment<Request, Result> | undefined> {
  const until = clock.now() + leaseWaitMs;
  let current: StoredFulfilment<Request, Result> | undefined = stored;
  let pollMs = firstPollMs;
  while (current?.state === 'pending' && clock.now() < Math.min(current.leaseExpiresAt, until)) {
    await clock.sleep(pollMs);
    pollMs = Math.min(2 * pollMs, longestPollMs);
    current = await table.get(stored.userId, stored.id);
  }
  return current;
}
