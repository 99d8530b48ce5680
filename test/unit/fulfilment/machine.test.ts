import fc from 'fast-check';
import { expect, test } from 'vitest';
import { begin, type FulfilmentRecord, type Input, next, pauseAfter } from '../../../src/shared/fulfilment/machine.ts';
import { randomCourses } from '../../support/thorough.ts';

const minute = 60_000;
const rejection = {
  code: 'store_rejected',
  store: { status: 400, code: 'InvalidParameter', message: null, correlationId: null, cv: null },
} as const;

const anyInput: fc.Arbitrary<Input<string>> = fc.oneof(
  fc.record({
    type: fc.constant('attempt' as const),
    now: fc.nat(10 * minute),
    holder: fc.constantFrom('h1', 'h2'),
    by: fc.constantFrom('caller' as const, 'recovery' as const),
  }),
  fc.record({ type: fc.constant('report' as const), holder: fc.constantFrom('creator', 'h1', 'h2', null) }),
  fc.record({ type: fc.constant('owe' as const), now: fc.nat(10 * minute) }),
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
  fc.constant({ type: 'announced' as const }),
);

/** The record after each of some random events. */
function course(inputs: Input<string>[]): FulfilmentRecord<string, string>[] {
  const records = [begin<string, string>('u', 'id', 'request', 'creator', 0)];
  for (const input of inputs) {
    const after = next<string, string>(records.at(-1) as FulfilmentRecord<string, string>, input);
    if (after) records.push(after);
  }
  return records;
}

const settledStates = ['completed', 'rejected'];

test('in any order of events: completed and rejected are final, pending records and pending events are in the due list', () => {
  fc.assert(
    fc.property(fc.array(anyInput, { maxLength: 30 }), (inputs) => {
      const records = course(inputs);
      for (const [at, record] of records.entries()) {
        const after = records.slice(at);
        if (record.state !== 'open') {
          expect(
            after.every(({ state, result, rejection: why, settledAt }) => {
              return (
                state === record.state &&
                result === record.result &&
                why === record.rejection &&
                settledAt === record.settledAt
              );
            }),
          ).toBe(true);
        }
        expect(record.dueAt !== null).toBe(record.state === 'open' || record.eventOwed);
        if (record.eventOwed) expect(settledStates).toContain(record.state);
        expect(record.result !== null).toBe(record.state === 'completed');
        expect(record.rejection !== null).toBe(record.state === 'rejected');
        if (record.reported) expect(after.map(({ state }) => state)).not.toContain('void');
        expect(record.recoveries).toBeGreaterThanOrEqual(records[at - 1]?.recoveries ?? 0);
      }
    }),
    { numRuns: randomCourses },
  );
});

test('a request that was answered pending, or cut off, gets an event; one that was answered the outcome does not', () => {
  const open = begin<string, string>('u', 'id', 'request', 'creator', 0);
  const complete = (record: typeof open, byCreator: boolean) =>
    next(record, { type: 'complete', now: 1, result: 'r', byCreator });
  const reported = next<string, string>(open, { type: 'report', holder: 'creator' });
  if (!reported) expect.fail('no transition');
  expect([complete(open, true)?.eventOwed, complete(open, false)?.eventOwed]).toEqual([false, true]);
  expect([complete(reported, true)?.eventOwed, complete(reported, false)?.eventOwed]).toEqual([true, true]);
});

test('a leased record is not attempted by another', () => {
  const open = begin<string, string>('u', 'id', 'request', 'creator', 0);
  expect(next<string, string>(open, { type: 'attempt', now: minute - 1, holder: 'h1', by: 'recovery' })).toBeNull();
  expect(next<string, string>(open, { type: 'attempt', now: minute, holder: 'h1', by: 'recovery' })).toMatchObject({
    recoveries: 1,
    lastAttemptAt: minute,
  });
  const reported = next<string, string>(open, { type: 'report', holder: 'creator' });
  if (!reported) expect.fail('no transition');
  expect(next<string, string>(reported, { type: 'attempt', now: 1, holder: 'h1', by: 'caller' })).toMatchObject({
    recoveries: 0,
    dueAt: minute + 1,
  });
});

test('a report of pending by a request that waited does not end the lease of another', () => {
  const open = begin<string, string>('u', 'id', 'request', 'creator', 0);
  const told = next<string, string>(open, { type: 'report', holder: null });
  expect(told).toMatchObject({ reported: true, attemptedUntil: minute });
  expect(told && next<string, string>(told, { type: 'attempt', now: 1, holder: 'h1', by: 'caller' })).toBeNull();
});

test('an outcome that was written while the request was answered pending gets its event, once', () => {
  const open = begin<string, string>('u', 'id', 'request', 'creator', 0);
  const settled = next(open, { type: 'complete', now: 1, result: 'r', byCreator: true });
  const owed = settled && next<string, string>(settled, { type: 'owe', now: 2 });
  expect(owed).toMatchObject({ state: 'completed', eventOwed: true, dueAt: minute + 2 });
  const announced = owed && next<string, string>(owed, { type: 'announced' });
  expect(announced).toMatchObject({ eventOwed: false, dueAt: null });
  expect(announced && next<string, string>(announced, { type: 'owe', now: 3 })).toBeNull();
});

test('a pending event is published within a minute, however long the pauses are', () => {
  let record = begin<string, string>('u', 'id', 'request', 'creator', 0);
  for (let hour = 1; hour <= 3; hour += 1) {
    const tried = next<string, string>(record, {
      type: 'attempt',
      now: hour * 60 * minute,
      holder: 'h',
      by: 'recovery',
    });
    record = tried ?? expect.fail('no transition');
  }
  const now = 3 * 60 * minute + 1;
  expect(record.dueAt).toBeGreaterThan(now + 10 * minute);
  expect(next(record, { type: 'complete', now, result: 'r', byCreator: false })?.dueAt).toBe(now + minute);
});

test('pauses grow to 5, 15 and 60 minutes, and end before the timer that follows them', () => {
  expect([0, 1, 2, 3, 4, 100].map((made) => Math.ceil(pauseAfter(made) / minute))).toEqual([1, 5, 15, 60, 60, 60]);
  expect(pauseAfter(0)).toBe(minute);
  expect(pauseAfter(1)).toBeLessThan(5 * minute);
});

test('a record is voided only if nobody was answered pending and no other request tried', () => {
  const open = begin<string, string>('u', 'id', 'request', 'creator', 0);
  expect(next<string, string>(open, { type: 'void' })).toMatchObject({ state: 'void', dueAt: null });
  const tried = next<string, string>(open, { type: 'attempt', now: minute, holder: 'h1', by: 'caller' });
  const told = next<string, string>(open, { type: 'report', holder: 'creator' });
  for (const record of [tried, told]) expect(record && next<string, string>(record, { type: 'void' })).toBeNull();
});
