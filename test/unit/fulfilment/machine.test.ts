import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createRecord,
  pauseAfterAttempts,
  type RecordEvent,
  transition,
} from '../../../src/shared/fulfilment/machine.ts';
import type { FulfilmentRecord } from '../../../src/shared/state/fulfilments.ts';
import { randomSequences } from '../../support/thorough.ts';

type TestRecord = FulfilmentRecord<string, string>;
type TestEvent = RecordEvent<string>;

const minute = 60_000;
const day = 24 * 60 * minute;
const rejection = {
  code: 'store_rejected',
  store: { status: 400, code: 'InvalidParameter', message: null, correlationId: null, cv: null },
} as const;

const newRecord = (requestIdentity = false): TestRecord =>
  createRecord<string, string>('u', 'id', 'request', { creator: 'creator', requestIdentity }, 0);
const apply = (record: TestRecord, ...events: TestEvent[]): TestRecord =>
  events.reduce<TestRecord>((before, event) => transition(before, event) ?? expect.fail(`no ${event.type}`), record);

const attemptAt = (now: number, over: object = {}): TestEvent => ({
  type: 'attempt',
  now,
  leaseId: 'l',
  by: 'recovery',
  byRequestIdentity: false,
  ...over,
});
const endAt = (now: number, over: object = {}): TestEvent => ({
  type: 'endAttempt',
  now,
  leaseId: 'creator',
  by: 'caller',
  reason: 'store_unavailable',
  sent: true,
  result: null,
  known: null,
  wakes: 0,
  ...over,
});
const completeAt = (now: number, byCreator = true): TestEvent => ({
  type: 'complete',
  now,
  result: 'r',
  known: null,
  byCreator,
});

const someTime = fc.nat(10 * minute);
const someLease = fc.constantFrom('creator', 'l1', 'l2');
const someBy = fc.constantFrom('caller' as const, 'recovery' as const);
const someResult = fc.constantFrom('r1', 'r2');
const someKnown = fc.option(someResult);
const someReason = fc.constantFrom('store_unavailable' as const, 'store_id_expired' as const, 'in_progress' as const);
const anyEvent: fc.Arbitrary<TestEvent> = fc.oneof(
  fc.record({
    type: fc.constant('attempt' as const),
    now: someTime,
    leaseId: someLease,
    by: someBy,
    byRequestIdentity: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('endAttempt' as const),
    now: someTime,
    leaseId: someLease,
    by: someBy,
    reason: someReason,
    sent: fc.boolean(),
    result: fc.option(someResult),
    known: someKnown,
    wakes: fc.nat(2),
  }),
  fc.record({ type: fc.constant('keepResult' as const), now: someTime, result: someResult, known: someKnown }),
  fc.constant({ type: 'reportPending' as const }),
  fc.record({ type: fc.constant('wait' as const), now: someTime, reason: someReason }),
  fc.record({
    type: fc.constant('complete' as const),
    now: someTime,
    result: someResult,
    known: someKnown,
    byCreator: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('reject' as const),
    now: someTime,
    rejection: fc.constant(rejection),
    known: someKnown,
  }),
  fc.record({ type: fc.constant('void' as const), creator: fc.constantFrom('creator', 'another') }),
  fc.constant({ type: 'eventPublished' as const }),
  fc.record({ type: fc.constant('makeDue' as const), now: someTime }),
);

/** The record after each event that applies to it. */
function recordsAfter(first: TestRecord, events: TestEvent[]): TestRecord[] {
  const records = [first];
  for (const event of events) {
    const after = transition<string, string>(records.at(-1) as TestRecord, event);
    if (after) records.push(after);
  }
  return records;
}

const settledStates = ['completed', 'rejected'];

test('in any order of events: a settled record stays settled, and what is pending, a record or an event, is due', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(anyEvent, { maxLength: 30 }), (byToken, events) => {
      const records = recordsAfter(newRecord(byToken), events);
      for (const [index, record] of records.entries()) {
        const after = records.slice(index);
        if (record.state !== 'pending') {
          const { state, result, rejection: why, settledAt } = record;
          for (const later of after) expect(later).toMatchObject({ state, result, rejection: why, settledAt });
        }
        expect(record.dueAt !== null).toBe(record.state === 'pending' || record.eventPending);
        if (record.eventPending) expect(settledStates).toContain(record.state);
        if (record.state === 'completed') expect(record.result).not.toBeNull();
        if (record.state === 'rejected' || record.state === 'void') expect(record.result).toBeNull();
        expect(record.rejection !== null).toBe(record.state === 'rejected');
        if (record.pendingReported) expect(after.map(({ state }) => state)).not.toContain('void');
        // A result that is known is not lost, and an identity of a request is never followed by the stored one.
        if (record.result !== null && record.state === 'pending')
          for (const later of after.filter(({ state }) => state === 'pending')) expect(later.result).not.toBeNull();
        if (record.byRequestIdentity) for (const later of after) expect(later.byRequestIdentity).toBe(true);
        for (const count of [record.attempts, record.recoveryAttempts]) expect(count).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: randomSequences },
  );
});

test('whoever is answered "pending" gets an event: only a completion by the creator that nobody waits for has none', () => {
  const created = newRecord();
  expect(apply(created, completeAt(1)).eventPending).toBe(false);
  expect(apply(created, completeAt(1, false)).eventPending).toBe(true);
  for (const told of [{ type: 'reportPending' } as const, endAt(1), attemptAt(minute)])
    expect(apply(created, told, completeAt(minute + 1)).eventPending).toBe(true);
  expect(apply(created, { type: 'reject', now: 1, rejection, known: null })).toMatchObject({
    eventPending: true,
    dueAt: minute,
  });
});

test('a leased record is not attempted by another', () => {
  const created = newRecord();
  expect(transition(created, attemptAt(minute - 1))).toBeNull();
  expect(apply(created, attemptAt(minute))).toMatchObject({ recoveryAttempts: 1, attempts: 2, lastAttemptAt: minute });
  expect(apply(created, endAt(1), attemptAt(1, { by: 'caller' }))).toMatchObject({
    recoveryAttempts: 0,
    attempts: 2,
    dueAt: minute + 1,
    reason: null,
  });
});

test('answering "pending" because another has the lease does not end that lease', () => {
  const reported = apply(newRecord(), { type: 'reportPending' });
  expect(reported).toMatchObject({ pendingReported: true, leaseExpiresAt: minute });
  expect(transition(reported, attemptAt(1, { by: 'caller' }))).toBeNull();
  const late = apply(newRecord(), attemptAt(minute));
  // The end of an attempt that is no longer the latest.
  expect(transition(late, endAt(minute + 1))).toBeNull();
  expect(apply(late, endAt(minute + 1, { result: 'r' }))).toMatchObject({ result: 'r', leaseId: 'l', reason: null });
});

test('what was not sent is no attempt: the pauses do not grow', () => {
  const tried = apply(newRecord(), endAt(1), attemptAt(minute));
  const notSent = apply(tried, endAt(minute + 1, { leaseId: 'l', by: 'recovery', sent: false }));
  expect(notSent).toMatchObject({ attempts: 1, recoveryAttempts: 0, dueAt: 2 * minute + 1, leaseExpiresAt: 0 });
  expect(apply(newRecord(), endAt(1, { sent: false }))).toMatchObject({ attempts: 0, recoveryAttempts: 0 });
});

test('a record without a usable key is asked again after a day, or once there is a key', () => {
  const waiting = apply(newRecord(), endAt(5, { reason: 'store_id_expired', sent: false }));
  expect(waiting).toMatchObject({ reason: 'store_id_expired', dueAt: 5 + day });
  expect(apply(waiting, { type: 'makeDue', now: 9 })).toMatchObject({ dueAt: 9, recoveryAttempts: 0 });
});

test('a key that the Store refuses is tried at the usual pauses first, then once a day', () => {
  let record = apply(newRecord(), endAt(5, { reason: 'store_id_expired' }));
  const pauses: number[] = [(record.dueAt ?? 0) - 5];
  for (let attempts = 0; attempts < 6; attempts += 1) {
    const now = record.dueAt ?? 0;
    record = apply(record, attemptAt(now), endAt(now, { leaseId: 'l', by: 'recovery', reason: 'store_id_expired' }));
    pauses.push((record.dueAt ?? 0) - now);
  }
  expect(pauses.map((pause) => Math.ceil(pause / minute))).toEqual([1, 5, 15, 60, 1440, 1440, 1440]);
});

test('a key that is registered during an attempt makes the record due, whatever the attempt ends with', () => {
  const leased = apply(newRecord(), attemptAt(minute));
  for (const over of [{ reason: 'store_id_expired', sent: false }, { sent: false }, {}]) {
    const end = endAt(minute + 9, { leaseId: 'l', by: 'recovery', ...over });
    expect(apply(leased, { type: 'makeDue', now: minute + 5 }, end)).toMatchObject({ dueAt: minute + 5 });
  }
});

test('what an attempt knows is kept only in place of what it started from, and a record with a result is not voided', () => {
  const kept = apply(newRecord(), { type: 'keepResult', now: 5, result: 'mine', known: null });
  expect(kept).toMatchObject({ result: 'mine', state: 'pending', leaseId: 'creator', dueAt: minute });
  expect(transition(kept, { type: 'keepResult', now: 5, result: 'other', known: null })).toBeNull();
  expect(apply(kept, { type: 'keepResult', now: 5, result: 'more', known: 'mine' }).result).toBe('more');
  expect(transition(kept, { type: 'void', creator: 'creator' })).toBeNull();
});

test('a result that another attempt has kept is not overwritten, whatever an attempt ends with', () => {
  const kept = apply(newRecord(), { type: 'keepResult', now: 5, result: 'kept', known: null });
  expect(transition(kept, completeAt(9))).toBeNull();
  expect(transition(kept, { type: 'reject', now: 9, rejection, known: null })).toBeNull();
  expect(apply(kept, endAt(9, { result: 'mine' })).result).toBe('kept');
  expect(apply(kept, { ...completeAt(9), known: 'kept' } as TestEvent)).toMatchObject({
    state: 'completed',
    result: 'r',
  });
  expect(apply(kept, endAt(9, { result: 'more', known: 'kept' })).result).toBe('more');
});

test('what may have been sent with one kind of identity is not leased for the other', () => {
  const byToken = attemptAt(minute, { by: 'caller', byRequestIdentity: true });
  expect(transition(newRecord(true), attemptAt(minute))).toBeNull();
  expect(transition(newRecord(), byToken)).toBeNull();
  expect(apply(newRecord(), endAt(1, { sent: false }), byToken)).toMatchObject({ byRequestIdentity: true });
  expect(apply(newRecord(true), byToken)).toMatchObject({ attempts: 2 });
  const done = apply(newRecord(true), { type: 'keepResult', now: 5, result: 'r', known: null });
  expect(apply(done, attemptAt(minute))).toMatchObject({ attempts: 2, byRequestIdentity: true });
});

test('a record that no longer waits for its player is due at the usual time', () => {
  const waiting = apply(newRecord(true), { type: 'wait', now: minute, reason: 'x_token_required' });
  const again = apply(waiting, attemptAt(2 * minute, { by: 'caller', byRequestIdentity: true }));
  expect(again.dueAt).toBe(3 * minute);
  const kept = apply(waiting, { type: 'keepResult', now: 2 * minute, result: 'r', known: null });
  expect(kept.dueAt).toBe(3 * minute);
  const ended = { ...kept, leaseId: 'l', dueAt: day };
  expect(apply(ended, endAt(9, { leaseId: 'l', result: 'r', known: 'r', reason: 'unavailable' })).dueAt).toBe(
    9 + minute,
  );
});

test('a registration during an attempt counts, also if the record was due already', () => {
  const leased = apply(newRecord(), attemptAt(minute, { by: 'caller' }));
  const woken = apply(leased, { type: 'makeDue', now: 3 * minute });
  const ended = apply(woken, endAt(minute + 9, { leaseId: 'l', reason: 'store_id_expired', sent: false }));
  expect(ended.dueAt).toBeLessThanOrEqual(3 * minute);
});

test('a record waits for an X-token only if it needs one and nobody is at work on it', () => {
  const wait = (now: number): TestEvent => ({ type: 'wait', now, reason: 'x_token_required' });
  expect(apply(newRecord(true), wait(minute))).toMatchObject({ reason: 'x_token_required', dueAt: minute + day });
  expect(transition(newRecord(true), wait(minute - 1))).toBeNull();
  expect(transition(newRecord(false), wait(minute))).toBeNull();
  const done = apply(newRecord(true), { type: 'keepResult', now: 5, result: 'r', known: null });
  expect(transition(done, wait(minute))).toBeNull();
});

test('what was asked with an X-token waits for the next one, and no key makes it due; unless the Store has done it', () => {
  const lost = apply(newRecord(true), endAt(5));
  expect(lost).toMatchObject({ reason: 'x_token_required', dueAt: 5 + day });
  expect(transition(lost, { type: 'makeDue', now: 9 })).toBeNull();
  const done = apply(newRecord(true), endAt(5, { reason: 'store_id_expired', result: 'r' }));
  expect(done).toMatchObject({ reason: 'store_id_expired' });
  expect(apply(done, { type: 'makeDue', now: 9 }).dueAt).toBe(9);
});

test('a rest that goes on is due at once', () => {
  expect(apply(newRecord(), endAt(5, { reason: 'in_progress', result: 'half' }))).toMatchObject({
    result: 'half',
    dueAt: 6,
  });
});

test('a pending event is due within a minute, however long the pauses have become', () => {
  const record = [1, 2, 3].reduce((before, hour) => apply(before, attemptAt(hour * 60 * minute)), newRecord());
  const now = 3 * 60 * minute + 1;
  expect(record.dueAt).toBeGreaterThan(now + 10 * minute);
  expect(apply(record, completeAt(now, false)).dueAt).toBe(now + minute);
});

test('pauses grow to 5, 15 and 60 minutes, and each ends before its tick', () => {
  expect([0, 1, 2, 3, 4, 100].map((made) => Math.ceil(pauseAfterAttempts(made) / minute))).toEqual([
    1, 5, 15, 60, 60, 60,
  ]);
  expect(pauseAfterAttempts(0)).toBe(minute);
  expect(pauseAfterAttempts(1)).toBeLessThan(5 * minute);
});

test('a record is voided only by its creator, while no caller was answered "pending" and no other request has attempted it', () => {
  const created = newRecord();
  expect(apply(created, { type: 'void', creator: 'creator' })).toMatchObject({ state: 'void', dueAt: null });
  expect(transition(created, { type: 'void', creator: 'an earlier request' })).toBeNull();
  for (const told of [attemptAt(minute), endAt(1)])
    expect(transition(apply(created, told), { type: 'void', creator: 'creator' })).toBeNull();
});

test('a pending record is made due at once and its pauses start again; one that is due already, or settled, stays as it is', () => {
  const tried = apply(newRecord(), attemptAt(minute), endAt(minute, { leaseId: 'l', by: 'recovery' }));
  const due = apply(tried, { type: 'makeDue', now: minute + 1 });
  expect(due).toMatchObject({ state: 'pending', dueAt: minute + 1, recoveryAttempts: 0, leaseId: 'l' });
  expect(transition(due, { type: 'makeDue', now: minute + 2 })).toBeNull();
  expect(transition(apply(newRecord(), completeAt(1)), { type: 'makeDue', now: 2 })).toBeNull();
});
