import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningAzurite, startAzurite } from '../../local/azurite.ts';
import { Problem } from '../../src/shared/contract/problems.ts';
import { createOnKeysRegistered } from '../../src/shared/fulfilment/keysRegistered.ts';
import { createRecovery } from '../../src/shared/fulfilment/recovery.ts';
import { createResume } from '../../src/shared/fulfilment/resume.ts';
import { createSubmit } from '../../src/shared/fulfilment/submit.ts';
import type { FulfilmentHandler, Outcome } from '../../src/shared/fulfilment/types.ts';
import { inParallel } from '../../src/shared/lib/inParallel.ts';
import { createFulfilmentsTable } from '../../src/shared/state/fulfilments.ts';
import { createTableOpener, type OpenTable } from '../../src/shared/state/tables.ts';
import { testCall, testClock } from '../support/call.ts';

let azurite: RunningAzurite;
let openTable: OpenTable;
beforeAll(async () => {
  azurite = await startAzurite();
  openTable = createTableOpener({ connectionString: azurite.connectionString }, { getToken: async () => null });
});
afterAll(() => azurite.stop());

interface Request {
  account: string;
  what: string;
}
type Handler = FulfilmentHandler<Request, string, string>;
const done: Outcome<string> = { outcome: 'completed', result: 'done' };
const unknown: Outcome<string> = { outcome: 'unknown', why: 'test' };

/** The engine with real tables and a Store that answers what the test sets. The clock moves only by the test. */
function engineOf(over: Partial<Handler> = {}) {
  const clock = testClock();
  const attempts: string[] = [];
  const published: string[] = [];
  const store = { answer: done, takesMs: 0 };
  const handler: Handler = {
    isSameRequest: (a, b) => a.what === b.what,
    identity: async () => 'someone',
    attempt: async (_, record) => {
      attempts.push(record.leaseId);
      await new Promise((resolve) => setTimeout(resolve, store.takesMs));
      return store.answer;
    },
    saveOrderLines: async () => undefined,
    publishOutcome: async ({ id }) => {
      published.push(id);
    },
    ...over,
  };
  const table = createFulfilmentsTable<Request, string>(openTable, 'Consumes');
  const parts = { handler, table, clock };
  const resume = createResume(parts);
  const run = createSubmit(parts);
  const recover = () =>
    createRecovery([{ name: 'consume', table, resume }], clock)(testCall({ deadline: clock.now() + 270_000 }));
  const call = () => testCall({ deadline: clock.now() + 50_000 });
  const submit = (id: string, what = 'r', context = call()) => run(context, 'u', id, { account: 'default', what });
  return { clock, attempts, published, store, table, submit, resume, recover, call };
}

const counts = (processed: number, skipped: number) => ({
  'consume.processed': processed,
  'consume.skipped': skipped,
  'consume.remaining': false,
});

test('of ten repeats at the same moment one asks the Store', async () => {
  const { attempts, published, store, submit } = engineOf();
  store.answer = unknown;
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
  const { submit: again } = engineOf({ identity: () => new Promise(() => undefined) });
  expect(await again('keyless')).toMatchObject({ replayed: true, record: { state: 'completed' } });
  await expect(again('keyless', 'other')).rejects.toMatchObject({ code: 'tracking_id_reused' });
});

test('a record that is voided while another request waits for it is created again', async () => {
  let refuse: (fault: Problem) => void = () => undefined;
  const waiting = new Promise<string>((_, reject) => {
    refuse = reject;
  });
  const first = engineOf({ identity: () => waiting });
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
  const broken = engineOf();
  broken.store.answer = unknown;
  const ids = Array.from({ length: 230 }, (_, index) => `page-${index}`);
  await inParallel(ids, 16, (id) => broken.submit(id));
  const { clock, attempts, published, recover } = engineOf({
    publishOutcome: async ({ id }) => {
      if (Number(id.slice(5)) % 2 === 0) throw new Problem('unavailable', 'no outbox');
      published.push(id);
    },
  });
  clock.advance(61_000);
  expect(await recover()).toEqual(counts(ids.length, 0));
  expect(attempts).toHaveLength(ids.length);
  // Events that could not be published are tried again later. Here they always fail, and the run ends all the same.
  clock.advance(61_000);
  expect(await recover()).toEqual(counts(0, ids.length / 2));
  expect(attempts).toHaveLength(ids.length);
  expect(published).toHaveLength(ids.length / 2);
});

test('an attempt that leaves no time to write its outcome is not made', async () => {
  const { clock, attempts, resume, table, submit } = engineOf();
  const late = testCall({ deadline: clock.now() + 13_000 });
  expect((await submit('late', 'r', late)).record.state).toBe('pending');
  const stored = await table.get('u', 'late');
  if (!stored) expect.fail('no record');
  expect(await resume(late, stored)).toBe(false);
  expect(attempts).toEqual([]);
  expect((await submit('late')).record.state).toBe('completed');
});

const noGrants = () => createFulfilmentsTable<Request, string>(openTable, 'Grants');

test('registered keys make pending records of that account due; the next run of the timer attempts them', async () => {
  const { clock, attempts, store, table, submit, recover, call } = engineOf();
  store.answer = unknown;
  await submit('woken');
  store.answer = done;
  const onKeysRegistered = createOnKeysRegistered({ consumes: table, grants: noGrants() }, clock);
  await onKeysRegistered(call(), 'u', 'another account', ['collections']);
  expect(await recover()).toEqual(counts(0, 0));
  await onKeysRegistered(call(), 'u', 'default', ['collections']);
  expect(attempts).toHaveLength(1);
  expect(await recover()).toEqual(counts(1, 0));
  expect((await table.get('u', 'woken'))?.state).toBe('completed');
});

test('a record that cannot be read does not stop the others when keys are registered', async () => {
  const { clock, store, table, submit, recover, call } = engineOf();
  store.answer = unknown;
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
  expect(await recover()).toEqual(counts(ids.length, 0));
});

test('keys that are registered again and again do not make the pauses longer', async () => {
  const { clock, store, table, submit, recover, call } = engineOf();
  store.answer = unknown;
  await submit('patient');
  const onKeysRegistered = createOnKeysRegistered({ consumes: table, grants: noGrants() }, clock);
  for (let round = 0; round < 4; round += 1) {
    await onKeysRegistered(call(), 'u', 'default', ['collections']);
    expect(await recover()).toEqual(counts(1, 0));
  }
  const record = await table.get('u', 'patient');
  expect(record?.recoveryAttempts).toBe(1);
  expect(record?.dueAt).toBeLessThanOrEqual(clock.now() + 5 * 60_000);
});

test('the recovery publishes pending events before it makes any attempt', async () => {
  const order: string[] = [];
  const failing = engineOf({
    publishOutcome: () => Promise.reject(new Problem('unavailable', 'no outbox')),
  });
  failing.store.answer = unknown;
  await failing.submit('early attempt');
  await failing.submit('later event');
  failing.clock.advance(1000);
  failing.store.answer = done;
  await failing.submit('later event');
  const { clock, recover } = engineOf({
    attempt: async (_, { id }) => {
      order.push(`attempt ${id}`);
      return done;
    },
    publishOutcome: async ({ id }) => {
      order.push(`event ${id}`);
    },
  });
  clock.advance(62_000);
  expect(await recover()).toEqual(counts(2, 0));
  expect(order).toEqual(['event later event', 'attempt early attempt', 'event early attempt']);
});
