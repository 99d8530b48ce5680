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

const minute = 60_000;
const rejection = {
  code: 'store_rejected',
  store: { status: 400, code: 'InvalidParameter', message: null, correlationId: null, cv: null },
} as const;

const anyEvent: fc.Arbitrary<RecordEvent<string>> = fc.oneof(
  fc.record({
    type: fc.constant('attempt' as const),
    now: fc.nat(10 * minute),
    leaseId: fc.constantFrom('l1', 'l2'),
    by: fc.constantFrom('caller' as const, 'recovery' as const),
  }),
  fc.record({ type: fc.constant('reportPending' as const), leaseId: fc.constantFrom('creator', 'l1', 'l2', null) }),
  fc.record({ type: fc.constant('requireEvent' as const), now: fc.nat(10 * minute) }),
  fc.record({
    type: fc.constant('complete' as const),
    now: fc.nat(10 * minute),
    result: fc.string(),
    byCreator: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('reject' as const),
    now: fc.nat(10 * minute),
    rejection: fc.constant(rejection),
    byCreator: fc.boolean(),
  }),
  fc.constant({ type: 'void' as const }),
  fc.constant({ type: 'eventPublished' as const }),
  fc.record({ type: fc.constant('makeDue' as const), now: fc.nat(10 * minute) }),
);

/** The record after each event that applies to it. */
function recordsAfter(events: RecordEvent<string>[]): FulfilmentRecord<string, string>[] {
  const records = [createRecord<string, string>('u', 'id', 'request', 'creator', 0)];
  for (const event of events) {
    const after = transition<string, string>(records.at(-1) as FulfilmentRecord<string, string>, event);
    if (after) records.push(after);
  }
  return records;
}

const settledStates = ['completed', 'rejected'];

test('in any order of events: a settled record stays settled, and what is pending, a record or an event, is due', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
      const records = recordsAfter(events);
      for (const [index, record] of records.entries()) {
        const after = records.slice(index);
        if (record.state !== 'pending') {
          const { state, result, rejection: why, settledAt } = record;
          for (const later of after) expect(later).toMatchObject({ state, result, rejection: why, settledAt });
        }
        expect(record.dueAt !== null).toBe(record.state === 'pending' || record.eventPending);
        if (record.eventPending) expect(settledStates).toContain(record.state);
        expect(record.result !== null).toBe(record.state === 'completed');
        expect(record.rejection !== null).toBe(record.state === 'rejected');
        if (record.pendingReported) expect(after.map(({ state }) => state)).not.toContain('void');
      }
    }),
    { numRuns: randomSequences },
  );
});

test('an outcome has an event if a caller was answered "pending" or another than the creator wrote it', () => {
  const created = createRecord<string, string>('u', 'id', 'request', 'creator', 0);
  const complete = (record: typeof created, byCreator: boolean) =>
    transition(record, { type: 'complete', now: 1, result: 'r', byCreator });
  const reported = transition<string, string>(created, { type: 'reportPending', leaseId: 'creator' });
  if (!reported) expect.fail('no transition');
  expect([complete(created, true)?.eventPending, complete(created, false)?.eventPending]).toEqual([false, true]);
  expect([complete(reported, true)?.eventPending, complete(reported, false)?.eventPending]).toEqual([true, true]);
});

test('a leased record is not attempted by another', () => {
  const created = createRecord<string, string>('u', 'id', 'request', 'creator', 0);
  expect(
    transition<string, string>(created, { type: 'attempt', now: minute - 1, leaseId: 'l1', by: 'recovery' }),
  ).toBeNull();
  expect(
    transition<string, string>(created, { type: 'attempt', now: minute, leaseId: 'l1', by: 'recovery' }),
  ).toMatchObject({
    recoveryAttempts: 1,
    lastAttemptAt: minute,
  });
  const reported = transition<string, string>(created, { type: 'reportPending', leaseId: 'creator' });
  if (!reported) expect.fail('no transition');
  expect(transition<string, string>(reported, { type: 'attempt', now: 1, leaseId: 'l1', by: 'caller' })).toMatchObject({
    recoveryAttempts: 0,
    dueAt: minute + 1,
  });
});

test('answering "pending" because another has the lease does not end that lease', () => {
  const created = createRecord<string, string>('u', 'id', 'request', 'creator', 0);
  const reported = transition<string, string>(created, { type: 'reportPending', leaseId: null });
  expect(reported).toMatchObject({ pendingReported: true, leaseExpiresAt: minute });
  expect(
    reported && transition<string, string>(reported, { type: 'attempt', now: 1, leaseId: 'l1', by: 'caller' }),
  ).toBeNull();
});

test('an outcome whose caller was answered "pending" all the same gets its event later, once', () => {
  const created = createRecord<string, string>('u', 'id', 'request', 'creator', 0);
  const settled = transition(created, { type: 'complete', now: 1, result: 'r', byCreator: true });
  const required = settled && transition<string, string>(settled, { type: 'requireEvent', now: 2 });
  expect(required).toMatchObject({ state: 'completed', eventPending: true, dueAt: minute + 2 });
  const published = required && transition<string, string>(required, { type: 'eventPublished' });
  expect(published).toMatchObject({ eventPending: false, dueAt: null });
  expect(published && transition<string, string>(published, { type: 'requireEvent', now: 3 })).toBeNull();
});

test('a pending event is due within a minute, however long the pauses have become', () => {
  let record = createRecord<string, string>('u', 'id', 'request', 'creator', 0);
  for (let hour = 1; hour <= 3; hour += 1) {
    const tried = transition<string, string>(record, {
      type: 'attempt',
      now: hour * 60 * minute,
      leaseId: 'l',
      by: 'recovery',
    });
    record = tried ?? expect.fail('no transition');
  }
  const now = 3 * 60 * minute + 1;
  expect(record.dueAt).toBeGreaterThan(now + 10 * minute);
  expect(transition(record, { type: 'complete', now, result: 'r', byCreator: false })?.dueAt).toBe(now + minute);
});

test('pauses grow to 5, 15 and 60 minutes, and each ends before its tick', () => {
  expect([0, 1, 2, 3, 4, 100].map((made) => Math.ceil(pauseAfterAttempts(made) / minute))).toEqual([
    1, 5, 15, 60, 60, 60,
  ]);
  expect(pauseAfterAttempts(0)).toBe(minute);
  expect(pauseAfterAttempts(1)).toBeLessThan(5 * minute);
});

test('a record is voided only while no caller was answered "pending" and no other request has attempted it', () => {
  const created = createRecord<string, string>('u', 'id', 'request', 'creator', 0);
  expect(transition<string, string>(created, { type: 'void' })).toMatchObject({ state: 'void', dueAt: null });
  const tried = transition<string, string>(created, { type: 'attempt', now: minute, leaseId: 'l1', by: 'caller' });
  const reported = transition<string, string>(created, { type: 'reportPending', leaseId: 'creator' });
  for (const record of [tried, reported])
    expect(record && transition<string, string>(record, { type: 'void' })).toBeNull();
});

test('a pending record is made due at once and its pauses start again; one that is due already, or settled, stays as it is', () => {
  const created = createRecord<string, string>('u', 'id', 'request', 'creator', 0);
  const attempted = transition<string, string>(created, { type: 'attempt', now: minute, leaseId: 'l', by: 'recovery' });
  const due = attempted && transition<string, string>(attempted, { type: 'makeDue', now: minute + 1 });
  expect(due).toMatchObject({ state: 'pending', dueAt: minute + 1, recoveryAttempts: 0, leaseId: 'l' });
  expect(due && transition<string, string>(due, { type: 'makeDue', now: minute + 2 })).toBeNull();
  const settled = transition(created, { type: 'complete', now: 1, result: 'r', byCreator: true });
  expect(settled && transition<string, string>(settled, { type: 'makeDue', now: 2 })).toBeNull();
});
