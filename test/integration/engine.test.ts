import { expect, test } from 'vitest';
import { Problem } from '../../src/shared/contract/problems.ts';
import { createOnKeysRegistered } from '../../src/shared/fulfilment/keysRegistered.ts';
import { inParallel } from '../../src/shared/lib/inParallel.ts';
import { createFulfilmentsTable } from '../../src/shared/state/fulfilments.ts';
import { NothingSentError } from '../../src/shared/store/response.ts';
import { testCall } from '../support/call.ts';
import { done, engineOf, newTableName, noAnswer, openTable, type TestRequest, useTables } from './engineParts.ts';

useTables();

const count = (over: object) => expect.objectContaining({ 'consume.timeOver': false, ...over });

test('of ten repeats at the same moment one asks the Store', async () => {
  const { attempts, published, store, submit } = engineOf();
  store.answer = noAnswer;
  expect((await submit('race')).record.state).toBe('pending');
  store.answer = done;
  // Longer than a table request: without the lease, others would make their attempts meanwhile.
  store.takesMs = 100;
  const answers = await Promise.all(Array.from({ length: 10 }, () => submit('race')));
  expect(attempts).toHaveLength(2);
  expect(answers.filter(({ record }) => record.state === 'completed').length).toBeGreaterThanOrEqual(1);
  expect(published).toEqual(['race']);
});

test('a replay needs no key, and other parameters are refused without one', async () => {
  const { submit } = engineOf();
  await submit('keyless');
  const { submit: again } = engineOf({ handler: { identity: () => new Promise(() => undefined) } });
  expect(await again('keyless')).toMatchObject({ replayed: true, record: { state: 'completed' } });
  await expect(again('keyless', 'other')).rejects.toMatchObject({
    code: 'tracking_id_reused',
    message: expect.stringContaining('another what'),
  });
});

test('a record that is voided while another request waits for it is created again', async () => {
  let refuse: (fault: Problem) => void = () => undefined;
  const waiting = new Promise<string>((_, reject) => {
    refuse = reject;
  });
  const first = engineOf({ handler: { identity: () => waiting } });
  const creating = first.submit('void');
  creating.catch(() => undefined);
  await expect.poll(async () => (await first.table.get('u', 'void'))?.state).toBe('pending');
  const second = engineOf();
  const repeating = second.submit('void');
  refuse(new Problem('store_id_expired', 'gone'));
  await expect(creating).rejects.toMatchObject({ code: 'store_id_expired' });
  expect((await repeating).record).toMatchObject({ state: 'completed' });
  expect((await first.table.get('u', 'void'))?.state).toBe('completed');
});

test('the recovery processes a list of many pages, skips what fails, and ends', async () => {
  const tableName = newTableName();
  const broken = engineOf({ tableName });
  broken.store.answer = noAnswer;
  const ids = Array.from({ length: 230 }, (_, index) => `page-${index}`);
  await inParallel(ids, 16, (id) => broken.submit(id));
  const { clock, attempts, published, recover } = engineOf({
    tableName,
    handler: {
      publishOutcome: async ({ id }) => {
        if (Number(id.slice(5)) % 2 === 0) throw new Problem('unavailable', 'no outbox');
        published.push(id);
      },
    },
  });
  clock.advance(61_000);
  expect(await recover()).toEqual(count({ 'consume.settled': ids.length, 'consume.remaining': 0 }));
  expect(attempts).toHaveLength(ids.length);
  // Events that could not be published are tried again later. Here they always fail, and the run ends all the same.
  clock.advance(61_000);
  expect(await recover()).toEqual(count({ 'consume.settled': 0, 'consume.skipped': ids.length / 2 }));
  expect(attempts).toHaveLength(ids.length);
  expect(published).toHaveLength(ids.length / 2);
});

test('an attempt that leaves no time to write its outcome is not made: nothing is sent, no record stays', async () => {
  const { clock, attempts, resume, table, submit } = engineOf({ tableName: newTableName() });
  const late = testCall({ deadline: clock.now() + 13_000 });
  await expect(submit('late', 'r', late)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await table.get('u', 'late')).toMatchObject({ state: 'void' });
  const waiting = engineOf({ handler: { attempt: () => Promise.reject(noAnswer) } });
  await waiting.submit('late recovery');
  const stored = await waiting.table.get('u', 'late recovery');
  expect(stored && (await resume(late, stored))).toBe('skipped');
  expect(attempts).toEqual([]);
  expect((await submit('late')).record.state).toBe('completed');
});

const noGrants = () => createFulfilmentsTable<TestRequest, unknown>(openTable, 'Grants');

test('registered keys make pending records of that account due; the next run of the timer attempts them', async () => {
  const { clock, attempts, store, table, submit, recover, call } = engineOf({ tableName: newTableName() });
  store.answer = noAnswer;
  await submit('woken');
  store.answer = done;
  const onKeysRegistered = createOnKeysRegistered({ consumes: table, grants: noGrants() }, clock);
  await onKeysRegistered(call(), 'u', 'another account', ['collections']);
  expect(await recover()).toEqual(count({ 'consume.settled': 0, 'consume.remaining': 1 }));
  await onKeysRegistered(call(), 'u', 'default', ['collections']);
  expect(attempts).toHaveLength(1);
  expect(await recover()).toEqual(count({ 'consume.settled': 1, 'consume.remaining': 0 }));
  expect((await table.get('u', 'woken'))?.state).toBe('completed');
});

test('a record that cannot be read does not stop the others when keys are registered', async () => {
  const { clock, store, table, submit, recover, call } = engineOf({ tableName: newTableName() });
  store.answer = noAnswer;
  const ids = Array.from({ length: 30 }, (_, index) => `many-${index}`);
  await inParallel(ids, 8, (id) => submit(id));
  const broken = {
    ...table,
    get: (userId: string, id: string) =>
      id === 'many-3' ? Promise.reject(new Problem('unavailable', 'away')) : table.get(userId, id),
  };
  const by = call();
  await createOnKeysRegistered({ consumes: broken, grants: noGrants() }, clock)(by, 'u', 'default', ['collections']);
  const due = await Promise.all(ids.map(async (id) => (await table.get('u', id))?.dueAt));
  expect(ids.filter((_, index) => due[index] !== clock.now())).toEqual(['many-3']);
  expect(by.lines.filter((line) => line.includes('notMadeDue'))).toHaveLength(1);
  store.answer = done;
  clock.advance(61_000);
  expect(await recover()).toEqual(count({ 'consume.settled': ids.length }));
});

test('a registration makes records due for 30 s at most, and not after its own deadline', async () => {
  const { clock, store, table, submit } = engineOf({ tableName: newTableName() });
  store.answer = noAnswer;
  const ids = Array.from({ length: 40 }, (_, index) => `slow-${index}`);
  await inParallel(ids, 8, (id) => submit(id));
  const slow = {
    ...table,
    get: (userId: string, id: string) => {
      clock.advance(1000);
      return table.get(userId, id);
    },
  };
  const onKeysRegistered = createOnKeysRegistered({ consumes: slow, grants: noGrants() }, clock);
  const madeDue = async () => {
    const records = await Promise.all(ids.map((id) => table.get('u', id)));
    return records.filter((record) => record?.recoveryAttempts === 0 && (record.dueAt ?? 0) <= clock.now()).length;
  };
  const before = clock.now();
  await onKeysRegistered(testCall({ deadline: before + 5000 }), 'u', 'default', ['collections']);
  const first = await madeDue();
  expect(first).toBeGreaterThan(0);
  // 16 at once are under way when the time is over.
  expect(first).toBeLessThanOrEqual(5 + 16);
  expect(clock.now() - before).toBeLessThan(30_000);
});

test('keys that are registered again and again do not make the pauses longer', async () => {
  const { clock, store, table, submit, recover, call } = engineOf({ tableName: newTableName() });
  store.answer = noAnswer;
  await submit('patient');
  const onKeysRegistered = createOnKeysRegistered({ consumes: table, grants: noGrants() }, clock);
  for (let round = 0; round < 4; round += 1) {
    await onKeysRegistered(call(), 'u', 'default', ['collections']);
    expect(await recover()).toEqual(count({ 'consume.pending': 1 }));
  }
  const record = await table.get('u', 'patient');
  expect(record?.recoveryAttempts).toBe(1);
  expect(record?.dueAt).toBeLessThanOrEqual(clock.now() + 5 * 60_000);
});

test('the recovery publishes pending events before it makes any attempt', async () => {
  const tableName = newTableName();
  const order: string[] = [];
  const failing = engineOf({
    tableName,
    handler: { publishOutcome: () => Promise.reject(new Problem('unavailable', 'no outbox')) },
  });
  failing.store.answer = noAnswer;
  await failing.submit('early attempt');
  await failing.submit('later event');
  failing.clock.advance(1000);
  failing.store.answer = done;
  await failing.submit('later event');
  const { clock, recover } = engineOf({
    tableName,
    handler: {
      attempt: async (_, { id }) => {
        order.push(`attempt ${id}`);
        return done;
      },
      publishOutcome: async ({ id }) => {
        order.push(`event ${id}`);
      },
    },
  });
  clock.advance(62_000);
  expect(await recover()).toEqual(count({ 'consume.settled': 2 }));
  expect(order).toEqual(['event later event', 'attempt early attempt', 'event early attempt']);
});

test.each([
  ['after 4 minutes', 3_600_000, 240_000],
  ['with time for the record that is under way', 130_000, 120_000],
])('a run of the recovery ends %s; the next goes on', async (_, callMs, endsAfterMs) => {
  const tableName = newTableName();
  const lost = engineOf({ tableName });
  lost.store.answer = noAnswer;
  const ids = Array.from({ length: 12 }, (_item, index) => `long-${index}`);
  await inParallel(ids, 8, (id) => lost.submit(id));
  const engine = engineOf({
    tableName,
    handler: {
      attempt: async () => {
        engine.clock.advance(30_000);
        return done;
      },
    },
  });
  engine.clock.advance(61_000);
  const startedAt = engine.clock.now();
  const first = await engine.recover(callMs);
  expect(engine.clock.now() - startedAt).toBe(endsAfterMs);
  const settled = endsAfterMs / 30_000;
  expect(first).toMatchObject({
    'consume.timeOver': true,
    'consume.settled': settled,
    'consume.remaining': ids.length - settled,
  });
  expect(await engine.recover(3_600_000)).toMatchObject({ 'consume.remaining': Math.max(0, ids.length - settled - 8) });
});

test('the recovery counts what remains, and how old the oldest is', async () => {
  const engine = engineOf({ tableName: newTableName() });
  engine.store.answer = noAnswer;
  await engine.submit('first');
  engine.clock.advance(30 * 60_000);
  await engine.submit('second');
  engine.clock.advance(61_000);
  expect(await engine.recover()).toMatchObject({
    'consume.pending': 2,
    'consume.settled': 0,
    'consume.remaining': 2,
    'consume.waiting': 0,
    'consume.oldestAgeMinutes': 31,
  });
  engine.store.answer = new NothingSentError(new Problem('store_id_expired', 'dead'));
  engine.clock.advance(10 * 60_000);
  await engine.recover();
  // They wait for their player, and are not what an alert is about.
  expect(await engine.recover()).toMatchObject({
    'consume.remaining': 2,
    'consume.waiting': 2,
    'consume.oldestAgeMinutes': 0,
  });
});
