import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningAzurite, startAzurite } from '../../local/azurite.ts';
import { Problem } from '../../src/shared/contract/problems.ts';
import { type FulfilmentKind, fulfilmentEngine, type Outcome } from '../../src/shared/fulfilment/engine.ts';
import { recovery } from '../../src/shared/fulfilment/recovery.ts';
import { inParallel } from '../../src/shared/lib/inParallel.ts';
import { fulfilmentsTable } from '../../src/shared/state/fulfilments.ts';
import { type OpenTable, openTables } from '../../src/shared/state/tables.ts';
import { testCall, testClock } from '../support/call.ts';

let azurite: RunningAzurite;
let open: OpenTable;
beforeAll(async () => {
  azurite = await startAzurite();
  open = openTables({ connectionString: azurite.connectionString }, { getToken: async () => null });
});
afterAll(() => azurite.stop());

type Kind = FulfilmentKind<string, string, string>;
const done: Outcome<string> = { outcome: 'completed', result: 'done' };
const unknown: Outcome<string> = { outcome: 'unknown', why: 'test' };

/** An engine on real tables. The test says what the Store answers, and moves the clock. */
function engineOf(over: Partial<Kind> = {}) {
  const clock = testClock();
  const attempts: string[] = [];
  const announced: string[] = [];
  const store = { says: done, takesMs: 0 };
  const kind: Kind = {
    same: (a, b) => a === b,
    identity: async () => 'someone',
    attempt: async (_, record) => {
      attempts.push(record.holder);
      await new Promise((resolve) => setTimeout(resolve, store.takesMs));
      return store.says;
    },
    keep: async () => undefined,
    announce: async ({ id }) => {
      announced.push(id);
    },
    ...over,
  };
  const table = fulfilmentsTable<string, string>(open, 'Consumes');
  const engine = fulfilmentEngine(kind, table, clock);
  const call = () => testCall({ deadline: clock.now() + 50_000 });
  const submit = (id: string, request = 'r') => engine.submit(call(), 'u', id, request);
  return { clock, attempts, announced, store, table, engine, submit, call };
}

test('ten requests repeat one at the same time: one of them asks the Store', async () => {
  const { attempts, announced, store, submit } = engineOf();
  store.says = unknown;
  expect((await submit('race')).record.state).toBe('open');
  store.says = done;
  // Longer than a table request: a second attempt would start meanwhile.
  store.takesMs = 100;
  const answers = await Promise.all(Array.from({ length: 10 }, () => submit('race')));
  expect(attempts).toHaveLength(2);
  expect(answers.filter(({ record }) => record.state === 'completed').length).toBeGreaterThanOrEqual(1);
  expect(announced).toEqual(['race']);
});

test('a replay needs no key, and a request with other parameters is refused without one', async () => {
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
  await expect.poll(async () => (await first.table.get('u', 'void'))?.state).toBe('open');
  const second = engineOf();
  const repeating = second.submit('void');
  refuse(new Problem('store_id_expired', 'gone'));
  await expect(creating).rejects.toMatchObject({ code: 'store_id_expired' });
  expect((await repeating).record).toMatchObject({ state: 'completed' });
  expect((await first.table.get('u', 'void'))?.state).toBe('completed');
});

test('the recovery reads a list of many pages to its end, also past records that it has to skip', async () => {
  const broken = engineOf();
  broken.store.says = unknown;
  const ids = Array.from({ length: 230 }, (_, at) => `page-${at}`);
  await inParallel(ids, 16, (id) => broken.submit(id));
  const { clock, attempts, announced, engine, table, call } = engineOf({
    announce: async ({ id }) => {
      if (Number(id.slice(5)) % 2 === 0) throw new Problem('unavailable', 'no outbox');
      announced.push(id);
    },
  });
  const timer = recovery('consume', engine, table, clock);
  clock.advance(61_000);
  const run = () => timer.run({ ...call(), deadline: clock.now() + 270_000 });
  expect(await run()).toEqual({ taken: ids.length, left: 0, remaining: false });
  expect(attempts).toHaveLength(ids.length);
  // A completed record whose event could not be published is retried: here it fails each time, and the run still ends.
  clock.advance(61_000);
  expect(await run()).toEqual({ taken: 0, left: ids.length / 2, remaining: false });
  expect(attempts).toHaveLength(ids.length);
  expect(announced).toHaveLength(ids.length / 2);
});

test('an attempt that would outlast its request is not made', async () => {
  const { clock, attempts, engine, table, submit } = engineOf();
  const late = testCall({ deadline: clock.now() + 13_000 });
  expect((await engine.submit(late, 'u', 'late', 'r')).record.state).toBe('open');
  const stored = await table.get('u', 'late');
  if (!stored) expect.fail('no record');
  expect(await engine.resume(late, stored, 'caller')).toBe(false);
  expect(attempts).toEqual([]);
  expect((await submit('late')).record.state).toBe('completed');
});

test('keys that are registered repeatedly do not make the pauses longer', async () => {
  const { clock, store, engine, table, submit, call } = engineOf();
  store.says = unknown;
  await submit('patient');
  const timer = recovery('consume', engine, table, clock);
  for (let round = 0; round < 4; round += 1) await timer.resumeUser(call(), 'u');
  expect(await table.get('u', 'patient')).toMatchObject({ recoveries: 0, dueAt: clock.now() + 60_000 });
});
