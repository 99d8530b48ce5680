/** What a caller is told, and what is on disk for it, whichever write fails in whichever way. */
import { expect, test } from 'vitest';
import { Problem } from '../../src/shared/contract/problems.ts';
import { createOnKeysRegistered } from '../../src/shared/fulfilment/keysRegistered.ts';
import type { StoredFulfilment } from '../../src/shared/state/fulfilments.ts';
import { NothingSentError } from '../../src/shared/store/response.ts';
import {
  done,
  engineOf,
  newTableName,
  noAnswer,
  refused,
  type TestHandler,
  type TestRequest,
  type TestTable,
  useTables,
} from './engineParts.ts';

useTables();

type Write = Parameters<TestTable['write']>[0];
const away = () => new Problem('unavailable', 'the tables are away');

/** A table whose writes of some records fail: after they acted if `acted`. */
const failing =
  (fails: (after: Write, before: StoredFulfilment<TestRequest, string> | undefined) => boolean, acted: boolean) =>
  (table: TestTable): TestTable => ({
    ...table,
    async write(after, before) {
      if (!fails(after, before)) return table.write(after, before);
      if (acted) await table.write(after, before);
      throw away();
    },
  });

const ways = [
  ['before it acted', false],
  ['after it acted', true],
] as const;

test.each(
  ways,
)('a completion that cannot be written (%s) is answered as completed; the recovery writes it', async (_, acted) => {
  const tableName = newTableName();
  const cut = engineOf({ tableName, table: failing(({ state }) => state === 'completed', acted) });
  const { record, replayed } = await cut.submit('unwritten');
  expect([record.state, record.result, replayed]).toEqual(['completed', 'done', false]);
  // Tried again: after half a second, and again.
  expect(cut.clock.slept).toEqual([500, 1500]);
  const { clock, recover, table, published } = engineOf({ tableName });
  clock.advance(61_000);
  await recover();
  expect(await table.get('u', 'unwritten')).toMatchObject({ state: 'completed', result: 'done' });
  expect(published).toEqual(acted ? [] : ['unwritten']);
});

test.each(
  ways,
)('a rejection that cannot be written (%s) is answered pending, and its event comes', async (_, acted) => {
  const tableName = newTableName();
  const cut = engineOf({ tableName, table: failing(({ state }) => state === 'rejected', acted) });
  cut.store.answer = refused;
  expect((await cut.submit('unheard')).record.state).toBe('pending');
  const { clock, recover, table, published, store } = engineOf({ tableName });
  store.answer = refused;
  clock.advance(61_000);
  await recover();
  expect((await table.get('u', 'unheard'))?.state).toBe('rejected');
  expect(published).toEqual(['unheard']);
});

test('a rejection that its caller hears of has no event; if that cannot be written, it has one as well', async () => {
  const tableName = newTableName();
  const heard = engineOf({ tableName });
  heard.store.answer = refused;
  expect((await heard.submit('heard')).record).toMatchObject({ state: 'rejected' });
  expect(await heard.table.get('u', 'heard')).toMatchObject({ eventPending: false, dueAt: null });
  const cut = engineOf({ tableName, table: failing((_after, before) => before?.eventPending === true, false) });
  cut.store.answer = refused;
  expect((await cut.submit('not struck off')).record).toMatchObject({ state: 'rejected' });
  const { clock, recover, published } = engineOf({ tableName });
  clock.advance(61_000);
  await recover();
  expect([heard.published, published]).toEqual([[], ['not struck off']]);
});

test('a caller who waits for another request is not answered pending before the record says so', async () => {
  const tableName = newTableName();
  const slow = engineOf({ tableName });
  let answer: () => void = () => undefined;
  const waiting = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const creator = engineOf({
    tableName,
    handler: {
      attempt: async () => {
        await waiting;
        return done;
      },
    },
  });
  const creating = creator.submit('watched');
  await expect.poll(async () => (await slow.table.get('u', 'watched'))?.state).toBe('pending');
  const observer = engineOf({ tableName, table: failing((after) => after.pendingReported, false) });
  await expect(observer.submit('watched')).rejects.toMatchObject({ code: 'unavailable' });
  // It reads at growing intervals while it waits.
  expect(observer.clock.slept.slice(0, 4)).toEqual([100, 200, 400, 800]);
  expect(observer.clock.slept.length).toBeLessThan(10);
  expect((await slow.submit('watched')).record.state).toBe('pending');
  expect(await slow.table.get('u', 'watched')).toMatchObject({ pendingReported: true });
  answer();
  await creating;
  expect(creator.published).toEqual(['watched']);
});

test('a late void does not touch the record of another request', async () => {
  const tableName = newTableName();
  const second = engineOf({ tableName });
  let voids = 0;
  const first = engineOf({
    tableName,
    handler: { identity: () => Promise.reject(new Problem('store_unauthorized', 'no token')) },
    table: (one) => ({
      ...one,
      async write(after, before) {
        if (after.state !== 'void') return one.write(after, before);
        voids += 1;
        // The void acts, its answer is lost, another request begins the id anew, and the client repeats the write.
        await one.write(after, before);
        second.store.answer = noAnswer;
        await second.submit('anew');
        return one.write(after, before);
      },
    }),
  });
  // It goes on as a repeat of the other request.
  expect((await first.submit('anew')).record).toMatchObject({ state: 'pending', reason: 'store_unauthorized' });
  expect(voids).toBe(1);
  expect(await second.table.get('u', 'anew')).toMatchObject({ state: 'pending' });
});

test('the record of a request that sent nothing is voided; what has no identity is told apart from what waits', async () => {
  const codes = ['unknown_user', 'store_id_expired', 'store_unauthorized', 'unavailable'] as const;
  for (const code of codes) {
    const engine = engineOf({ handler: { identity: () => Promise.reject(new Problem(code, 'no identity')) } });
    await expect(engine.submit(`nothing sent: ${code}`)).rejects.toMatchObject({ code });
    expect((await engine.table.get('u', `nothing sent: ${code}`))?.state).toBe('void');
    const late = engineOf({
      handler: { attempt: () => Promise.reject(new NothingSentError(new Problem(code, 'no token'))) },
    });
    await expect(late.submit(`not sent: ${code}`)).rejects.toMatchObject({ code });
    expect((await late.table.get('u', `not sent: ${code}`))?.state).toBe('void');
  }
  const full = engineOf({ handler: { attempt: () => Promise.reject(new NothingSentError(noAnswer)) } });
  expect((await full.submit('no connection')).record).toMatchObject({
    state: 'pending',
    reason: 'store_unavailable',
    attempts: 0,
  });
});

test('a record whose creation is not heard of is voided: its caller is answered that nothing was sent', async () => {
  const engine = engineOf({ tableName: newTableName(), table: failing(({ state }) => state === 'pending', true) });
  await expect(engine.submit('unheard creation')).rejects.toMatchObject({ code: 'unavailable' });
  expect((await engine.table.get('u', 'unheard creation'))?.state).toBe('void');
  expect(engine.attempts).toEqual([]);
});

test('a record that cannot be voided at once is voided later; what remains then is settled with an event', async () => {
  const tableName = newTableName();
  let broken = true;
  const engine = engineOf({
    tableName,
    handler: { identity: () => Promise.reject(new Problem('store_unauthorized', 'no token')) },
    table: (table) => failing(({ state }) => broken && state === 'void', false)(table),
  });
  const sleeping = engine.clock.sleep;
  engine.clock.sleep = async (ms) => {
    await sleeping(ms);
    // The tables are back when it is tried for the third time.
    if (ms === 4000) broken = false;
  };
  await expect(engine.submit('void later')).rejects.toMatchObject({ code: 'store_unauthorized' });
  await expect.poll(async () => (await engine.table.get('u', 'void later'))?.state).toBe('void');

  const gone = engineOf({
    tableName,
    handler: { identity: () => Promise.reject(new Problem('store_unauthorized', 'no token')) },
    table: failing(({ state }) => state === 'void', false),
  });
  await expect(gone.submit('never void')).rejects.toMatchObject({ code: 'store_unauthorized' });
  const { clock, recover, published } = engineOf({ tableName });
  clock.advance(61_000);
  await recover();
  expect(published).toEqual(['never void']);
});

test('what waits to be voided is bounded, and one loop tries it', async () => {
  let tries = 0;
  const engine = engineOf({
    tableName: newTableName(),
    handler: { identity: () => Promise.reject(new Problem('unavailable', 'away')) },
    table: (table) => ({
      ...table,
      write: async (after) => {
        if (after.state !== 'void') return { ...after, etag: 'v' };
        tries += 1;
        throw away();
      },
      get: async (userId, id) => {
        const found = await table.get(userId, id);
        if (!found) throw away();
        return found;
      },
    }),
  });
  const slept: number[] = [];
  let wake: () => void = () => undefined;
  engine.clock.sleep = (ms) => {
    slept.push(ms);
    return new Promise((resolve) => {
      wake = resolve;
    });
  };
  const ids = Array.from({ length: 1100 }, (_, index) => `waits-${index}`);
  await Promise.allSettled(ids.map((id) => engine.submit(id)));
  expect(slept).toEqual([1000]);
  const before = tries;
  wake();
  await expect.poll(() => slept.length).toBe(2);
  // A round ends at its first failure: 1,000 records are not 1,000 requests.
  expect(tries - before).toBeLessThanOrEqual(1);
});

test('an answer for lack of time is safe: nothing that is still under way completes the record without an event', async () => {
  const tableName = newTableName();
  const waits: (() => void)[] = [];
  const never = new Promise<never>(() => undefined);
  const engine = engineOf({ tableName, handler: { conclude: () => never } });
  const call = { ...engine.call(), deadline: engine.clock.now() - 4990 + 60_000 };
  // The time of the call passes while its order lines are written.
  engine.handler.conclude = () => {
    engine.clock.advance(60_000);
    return never;
  };
  const { record } = await engine.submit('no time', 'r', call);
  expect(record).toMatchObject({ state: 'pending', reason: 'unavailable' });
  expect(await engine.table.get('u', 'no time')).toMatchObject({
    state: 'pending',
    pendingReported: true,
    result: 'done',
  });
  for (const wake of waits) wake();
  const { clock, recover, attempts, published } = engineOf({ tableName });
  clock.advance(2 * 61_000);
  await recover();
  // The Store has done it: it is not asked again.
  expect([attempts, published]).toEqual([[], ['no time']]);
});

test('what remains after the Store has done it goes on where it stopped, and at the next run', async () => {
  const tableName = newTableName();
  const seen: string[] = [];
  const engine = engineOf({
    tableName,
    handler: {
      conclude: async (_call, _record, result) => {
        seen.push(result);
        return result.length > 7
          ? { concluded: true, result }
          : { concluded: false, reason: 'in_progress', result: `${result}+` };
      },
    },
  });
  expect((await engine.submit('rest')).record).toMatchObject({ state: 'pending', reason: 'in_progress' });
  for (let run = 0; run < 4; run += 1) {
    engine.clock.advance(10);
    await engine.recover();
  }
  expect(seen).toEqual(['done', 'done+', 'done++', 'done+++', 'done++++']);
  expect(engine.attempts).toHaveLength(1);
  expect(engine.published).toEqual(['rest']);
});

test('an X-token is never followed by the stored key: the record waits for the next X-token', async () => {
  const tableName = newTableName();
  const { submit, store, attempts, recover, clock, table, call, published } = engineOf({ tableName });
  store.answer = noAnswer;
  expect((await submit('token', 'r', call(), 'X-token')).record).toMatchObject({
    state: 'pending',
    reason: 'x_token_required',
  });
  store.answer = done;
  expect((await submit('token')).record).toMatchObject({ state: 'pending', reason: 'x_token_required' });
  clock.advance(61_000);
  await recover();
  clock.advance(25 * 3600_000);
  await recover();
  expect(attempts).toHaveLength(1);
  expect(await table.get('u', 'token')).toMatchObject({ state: 'pending', reason: 'x_token_required' });
  expect((await submit('token', 'r', call(), 'X-token')).record).toMatchObject({ state: 'completed' });
  expect(published).toEqual(['token']);
});

test('two processes with clocks 90 s apart race on the same ids: each is settled once, with one event at most', async () => {
  const tableName = newTableName();
  const late = engineOf({ tableName });
  const early = engineOf({ tableName, aheadMs: 90_000 });
  for (const engine of [late, early]) engine.store.takesMs = 5;
  const ids = Array.from({ length: 30 }, (_, index) => `skewed-${index}`);
  const all = ids.flatMap((id, index) => {
    const first = index % 2 === 0 ? late : early;
    return [first.submit(id), late.submit(id), early.submit(id), early.submit(id)];
  });
  const [answers] = await Promise.all([Promise.all(all), early.recover(), late.recover()]);
  for (const engine of [early, late]) engine.clock.advance(2 * 61_000);
  await Promise.all([early.recover(), late.recover()]);
  const records = await Promise.all(ids.map((id) => late.table.get('u', id)));
  expect(records.map((record) => record?.state)).toEqual(ids.map(() => 'completed'));
  expect(records.filter((record) => record?.eventPending)).toEqual([]);
  const published = [...early.published, ...late.published];
  const told = new Set(answers.filter(({ record }) => record.state === 'pending').map(({ record }) => record.id));
  // The outbox keeps one event for each cause, however often it is published.
  for (const id of told) expect(published).toContain(id);
});

test('a key that is registered while the recovery attempts the record with the old one is not forgotten', async () => {
  const tableName = newTableName();
  let onIdentity = async (): Promise<void> => undefined;
  const engine = engineOf({
    tableName,
    handler: {
      identity: async () => {
        await onIdentity();
        return 'someone';
      },
    },
  });
  engine.store.answer = noAnswer;
  await engine.submit('registered meanwhile');
  engine.store.answer = done;
  engine.clock.advance(61_000);
  const noRecords = { ...engine.table, pendingOfUser: async () => [] };
  const onKeysRegistered = createOnKeysRegistered({ consumes: engine.table, grants: noRecords }, engine.clock);
  onIdentity = async () => {
    onIdentity = async () => undefined;
    await onKeysRegistered(engine.call(), 'u', 'default', ['collections']);
    throw new Problem('store_id_expired', 'the old key has ended');
  };
  await engine.recover();
  engine.clock.advance(1000);
  await engine.recover();
  expect((await engine.table.get('u', 'registered meanwhile'))?.state).toBe('completed');
});

test('a consume with an X-token whose completion cannot be written is settled by the recovery all the same', async () => {
  const tableName = newTableName();
  const cut = engineOf({ tableName, table: failing(({ state }) => state === 'completed', false) });
  expect((await cut.submit('token unwritten', 'r', cut.call(), 'X-token')).record.state).toBe('completed');
  const { clock, recover, table, attempts, published } = engineOf({ tableName });
  clock.advance(61_000);
  await recover();
  expect((await table.get('u', 'token unwritten'))?.state).toBe('completed');
  expect([attempts, published]).toEqual([[], ['token unwritten']]);
});

test('what sends nothing after the Store has done it is an attempt all the same: the pauses grow', async () => {
  const notSent = () => Promise.reject(new NothingSentError(new Problem('store_unauthorized', 'no token')));
  const engine = engineOf({ tableName: newTableName(), handler: { conclude: notSent } });
  await engine.submit('concluding');
  const pauses: number[] = [];
  for (let run = 0; run < 4; run += 1) {
    engine.clock.advance(61 * 60_000);
    await engine.recover();
    const record = await engine.table.get('u', 'concluding');
    pauses.push(Math.ceil(((record?.dueAt ?? 0) - engine.clock.now()) / 60_000));
  }
  expect(pauses).toEqual([5, 15, 60, 60]);
  expect((await engine.table.get('u', 'concluding'))?.attempts).toBe(5);
});

test('a repeat that waits while the id is begun anew with other parameters is not answered with those', async () => {
  const tableName = newTableName();
  let refuse: () => void = () => undefined;
  const waiting = new Promise<never>((_, reject) => {
    refuse = () => reject(new Problem('unknown_user', 'no key'));
  });
  const first = engineOf({ tableName, handler: { identity: () => waiting } });
  const third = engineOf({ tableName });
  const creating = first.submit('other meanwhile');
  creating.catch(() => undefined);
  await expect.poll(async () => (await first.table.get('u', 'other meanwhile'))?.state).toBe('pending');
  const repeat = engineOf({ tableName });
  const { sleep } = repeat.clock;
  repeat.clock.sleep = async (ms) => {
    repeat.clock.sleep = sleep;
    refuse();
    await creating.catch(() => undefined);
    await third.submit('other meanwhile', 'something else');
    await sleep(ms);
  };
  await expect(repeat.submit('other meanwhile')).rejects.toMatchObject({ code: 'tracking_id_reused' });
});

test('a consume whose X-token attempt was cut off says that it needs another one', async () => {
  const tableName = newTableName();
  const cut = engineOf({ tableName, handler: { attempt: () => new Promise(() => undefined) } });
  void cut.submit('cut token', 'r', cut.call(), 'X-token');
  await expect.poll(async () => (await cut.table.get('u', 'cut token'))?.state).toBe('pending');
  const { submit, table } = engineOf({ tableName, aheadMs: 61_000 });
  expect((await submit('cut token')).record.reason).toBe('x_token_required');
  expect((await table.get('u', 'cut token'))?.reason).toBe('x_token_required');
});

test('what may have been sent with the stored key is not sent with an X-token', async () => {
  const tableName = newTableName();
  const identities: string[] = [];
  const engine = engineOf({
    tableName,
    handler: {
      attempt: async (_call, _record, identity) => {
        identities.push(identity);
        throw noAnswer;
      },
    },
  });
  await engine.submit('key first');
  await engine.submit('key first', 'r', engine.call(), 'X-token');
  expect(await engine.table.get('u', 'key first')).toMatchObject({
    byRequestIdentity: false,
    reason: 'store_unavailable',
  });
  const notSent = engineOf({ tableName, handler: { attempt: () => Promise.reject(new NothingSentError(noAnswer)) } });
  await notSent.submit('nothing first');
  await engine.submit('nothing first', 'r', engine.call(), 'X-token');
  expect(identities).toEqual(['someone', 'someone', 'X-token']);
});

test('another attempt that has kept its result first counts: both go on with the same', async () => {
  const tableName = newTableName();
  const early = engineOf({
    tableName,
    aheadMs: 90_000,
    handler: { attempt: async () => ({ outcome: 'completed', result: 'early' }) },
  });
  const concluded: string[] = [];
  const conclude: TestHandler['conclude'] = async (_call, _record, result, keep) => {
    const kept = await keep(result);
    if (kept === null) return null;
    concluded.push(kept);
    return { concluded: true, result: kept };
  };
  early.handler.conclude = conclude;
  const late = engineOf({
    tableName,
    handler: {
      // While the Store is slow, a process whose clock is ahead takes the lease over.
      attempt: async () => {
        await early.submit('skewed result');
        return { outcome: 'completed', result: 'late' };
      },
      conclude,
    },
  });
  const { record } = await late.submit('skewed result');
  expect([record.result, concluded]).toEqual(['early', ['early']]);
  expect((await late.table.get('u', 'skewed result'))?.result).toBe('early');
});

test('a recovery that cannot count what remains has run all the same', async () => {
  const engine = engineOf({
    tableName: newTableName(),
    table: (table) => ({
      ...table,
      due: (kind, shard, by, limit, afterKey) =>
        Number.isFinite(by) ? table.due(kind, shard, by, limit, afterKey) : Promise.reject(away()),
    }),
  });
  expect(await engine.recover()).toEqual({
    'consume.settled': 0,
    'consume.pending': 0,
    'consume.skipped': 0,
    'consume.timeOver': false,
  });
});

test('what an attempt has kept is not lost to one that overlaps with it: both end with it', async () => {
  const tableName = newTableName();
  let lateAnswers: () => void = () => undefined;
  let earlyGoesOn: () => void = () => undefined;
  const lateWaits = new Promise<void>((resolve) => {
    lateAnswers = resolve;
  });
  const earlyWaits = new Promise<void>((resolve) => {
    earlyGoesOn = resolve;
  });
  const seen: string[] = [];
  const late = engineOf({
    tableName,
    handler: {
      attempt: async () => {
        await lateWaits;
        return { outcome: 'completed', result: 'with ids' };
      },
      conclude: async (_call, _record, result, keep) => {
        await keep(result);
        earlyGoesOn();
        // Its process is killed before it claims a line.
        return new Promise(() => undefined);
      },
    },
  });
  const early = engineOf({
    tableName,
    aheadMs: 90_000,
    handler: {
      attempt: async () => ({ outcome: 'completed', result: 'without' }),
      conclude: async (_call, record, result) => {
        if (seen.length === 0) {
          lateAnswers();
          await earlyWaits;
        }
        seen.push(record.result ?? result);
        return { concluded: true, result: record.result ?? result };
      },
    },
  });
  void late.submit('overlapping');
  await expect.poll(async () => (await late.table.get('u', 'overlapping'))?.state).toBe('pending');
  const { record } = await early.submit('overlapping');
  expect([record.state, record.result, seen]).toEqual(['completed', 'with ids', ['without', 'with ids']]);
});

test('the recovery does not ask with the stored key what an X-token has asked since it read the record', async () => {
  const tableName = newTableName();
  const identities: string[] = [];
  const lost = {
    attempt: async (_call: unknown, _record: unknown, identity: string) => {
      identities.push(identity);
      throw noAnswer;
    },
  };
  const notSent = engineOf({ tableName, handler: { attempt: () => Promise.reject(new NothingSentError(noAnswer)) } });
  await notSent.submit('raced identity');
  const byToken = engineOf({ tableName, handler: lost });
  const recovery = engineOf({
    tableName,
    aheadMs: 61_000,
    handler: lost,
    table: (table) => ({
      ...table,
      async write(after, before) {
        if (identities.length === 0) await byToken.submit('raced identity', 'r', byToken.call(), 'X-token');
        return table.write(after, before);
      },
    }),
  });
  await recovery.recover();
  expect(identities).toEqual(['X-token']);
});
