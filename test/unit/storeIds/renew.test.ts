import { expect, test } from 'vitest';
import * as z from 'zod';
import { createKeyCipher } from '../../../src/shared/identity/cipher.ts';
import type { Secrets } from '../../../src/shared/identity/secrets.ts';
import { structuredLog } from '../../../src/shared/lib/log.ts';
import { createAskStore } from '../../../src/shared/store/authorize.ts';
import { storeUnavailable } from '../../../src/shared/store/errors.ts';
import { NothingSentError, StoreNotReachedError } from '../../../src/shared/store/response.ts';
import { readRetryPolicy } from '../../../src/shared/store/retry.ts';
import { createKeyring } from '../../../src/shared/storeIds/keyring.ts';
import type { RefusalHistory } from '../../../src/shared/storeIds/renewalPolicy.ts';
import { testCall } from '../../support/call.ts';
import { answer, refusal } from '../../support/storeAnswer.ts';
import { day, keyOf, minute, refused, world } from './world.ts';

const undecided = () => refused('AuthenticationTokenInvalid');
const named = () => refused('AuthenticationFailure', ['AuthenticationTokenInvalid: no. B2B key : IDX10511: no']);

const historyOf = (found: { row: RefusalHistory } | undefined) => [found?.row.unrenewable, found?.row.refusedAt];

/** A user with a key that is due. */
async function dueKey() {
  const made = world();
  const key = keyOf(made.clock.now() - 20 * day);
  await made.store(key);
  const renew = async () => {
    const { row = expect.fail('no row') } = (await made.stored()) ?? {};
    return made.renewals.renewStored(made.callNow(), row);
  };
  const query = async () => (await made.keyring.forUser(made.callNow(), 'u', 'default', 'collections')).current();
  return { ...made, key, renew, query };
}

test('a renewed key replaces the old one; callers at once share one renewal', async () => {
  const { renew, query, asked, stored, key } = await dueKey();
  const [one, two, queried] = await Promise.all([renew(), renew(), query()]);
  expect([one.outcome, two.outcome, asked.length]).toEqual(['renewed', 'renewed', 1]);
  expect(queried).not.toBe(key);
  expect(await stored()).toMatchObject({ key: queried, row: { unrenewable: false } });
});

test.each([
  ['key', 200],
  ['Key', 200],
  ['key', 201],
])('a renewed key is read from %s of a %i', async (member, status) => {
  const { renew, clock, state } = await dueKey();
  const renewedKey = keyOf(clock.now());
  state.answer = () => answer(status, { [member]: renewedKey });
  expect(await renew()).toMatchObject({ outcome: 'renewed', key: renewedKey });
});

test('a newer key that is registered while the old one is renewed stays', async () => {
  const { renew, clock, state, store, stored } = await dueKey();
  const registered = keyOf(clock.now());
  const renewedKey = keyOf(clock.now());
  state.answer = async () => {
    await store(registered);
    return answer(200, { key: renewedKey });
  };
  // Good for the request that asked for it.
  expect(await renew()).toMatchObject({ outcome: 'renewed', key: renewedKey });
  expect((await stored())?.key).toBe(registered);
});

test('a row that changes while its key is renewed, but not its key, takes the new one', async () => {
  const { renew, clock, state, store, stored, key } = await dueKey();
  const renewedKey = keyOf(clock.now());
  state.answer = async () => {
    await store(key);
    return answer(200, { key: renewedKey });
  };
  await renew();
  expect((await stored())?.key).toBe(renewedKey);
});

test('a key of a user with another publisherUserId is renewed', async () => {
  const { renew, clock, state, store } = await dueKey();
  await store(keyOf(clock.now() - 20 * day, { user: 'xuid-1' }), { publisherUserId: 'xuid-1' });
  state.answer = () => answer(200, { key: keyOf(clock.now(), { user: 'xuid-1' }) });
  expect((await renew()).outcome).toBe('renewed');
});

test('a renewal that failed is not asked for again for 30 s: the old key serves at once', async () => {
  const { query, clock, state, asked, key } = await dueKey();
  state.answer = () => answer(503, '');
  expect(await query()).toBe(key);
  clock.advance(29_999);
  expect(await query()).toBe(key);
  expect(asked).toHaveLength(1);
  clock.advance(1);
  await query();
  expect(asked).toHaveLength(2);
});

test('a pause that the Store asks for counts, if it is longer', async () => {
  const { renew, clock, state, asked } = await dueKey();
  state.answer = () => Object.assign(answer(429, ''), { retryAfterSeconds: 90 });
  expect(await renew()).toMatchObject({ outcome: 'later', problem: { code: 'store_throttled' } });
  clock.advance(89_000);
  expect(await renew()).toMatchObject({ outcome: 'later', problem: { details: { retryAfterSeconds: 1 } } });
  expect(asked).toHaveLength(1);
});

test('a renewal for which there is too little time is not sent, and not remembered', async () => {
  const { renewals, callNow, clock, stored, asked, renew } = await dueKey();
  const { row = expect.fail('no row') } = (await stored()) ?? {};
  const hurried = { ...callNow(), deadline: clock.now() + 1999 };
  expect(await renewals.renewStored(hurried, row)).toMatchObject({
    outcome: 'later',
    problem: { code: 'unavailable' },
  });
  expect(asked).toHaveLength(0);
  expect((await renew()).outcome).toBe('renewed');
});

test.each([
  ['the service', refused('PartnerAadTicketRequired'), 'store_unauthorized'],
  ['another client', refused('inconsistentClientId'), 'store_unauthorized'],
  [
    'the Store\u2019s own failure',
    refused('AuthenticationFailure', ['InternalAadAuthenticationError']),
    'store_unavailable',
  ],
])('a refusal about %s never ends a key', async (_name, response, code) => {
  const { renew, clock, state, stored, otherCall } = await dueKey();
  state.answer = () => response;
  for (let round = 0; round < 4; round += 1) {
    expect(await renew()).toMatchObject({ outcome: 'later', problem: { code } });
    await otherCall();
    clock.advance(11 * minute);
  }
  expect(historyOf(await stored())).toEqual([false, undefined]);
});

test('a service token that is refused and not replaced is not sent again', async () => {
  const { renew, state, asked, clock } = await dueKey();
  state.answer = () => refused('PartnerAadTicketRequired');
  await renew();
  expect(asked).toHaveLength(1);
  // Old enough to be at fault.
  clock.advance(2 * minute);
  await renew();
  expect(asked.map(({ token }) => token)).toEqual(['token 1', 'token 1', 'token 2']);
});

test.each([
  ['another reason', answer(400, refusal('BadRequest'))],
  ['no such route', answer(404, refusal('ResourceNotFound'))],
  ['a token or a key', undecided()],
])('a refusal for %s does not name the key', async (_name, response) => {
  const { renew, state } = await dueKey();
  state.answer = () => response;
  expect(await renew()).toMatchObject({ outcome: 'refused', named: false });
});

test('a query whose key cannot be renewed for another reason is refused for its own', async () => {
  const { keyring, entra, clock, state, callNow } = await dueKey();
  state.answer = () => answer(400, refusal('BadRequest'));
  const ask = createAskStore(async () => undecided(), entra, clock);
  const call = callNow();
  const key = await keyring.forUser(call, 'u', 'default', 'collections');
  const query = {
    operation: 'q',
    url: 'https://c.example/q',
    body: () => ({}),
    retry: readRetryPolicy,
    schema: z.any(),
  };
  await expect(ask(call, key, query)).rejects.toMatchObject({ code: 'store_unauthorized' });
  await entra.token('service', call.log).then(({ token }) => entra.acceptances.note(token, call.log));
  await expect(ask(call, key, query)).rejects.toMatchObject({ code: 'store_id_expired' });
});

test('a renewal for which no connection could be made is remembered; one for which none was free is not', async () => {
  const { renew, state, asked } = await dueKey();
  const fault = (Fault: typeof NothingSentError) => () => {
    throw new Fault(storeUnavailable());
  };
  state.answer = fault(NothingSentError);
  expect(await renew()).toMatchObject({ outcome: 'later', problem: { code: 'store_unavailable' } });
  state.answer = fault(StoreNotReachedError);
  await renew();
  await renew();
  expect(asked).toHaveLength(2);
});

test('a line about a key names its user', async () => {
  const { clock, state, store, callNow, ...made } = await dueKey();
  const named = /"userId":"u","account":"default","kind":"collections"/;
  const lines: string[] = [];
  const log = structuredLog((_level, line) => lines.push(line), 'c');
  const call = () => ({ ...callNow(), log });
  const { row = expect.fail('no row') } = (await made.stored()) ?? {};
  // Unreadable.
  state.answer = () => answer(200, { key: 'no key' });
  await made.renewals.renewStored(call(), row);
  expect(lines.find((line) => line.includes('renewal.unreadable'))).toMatch(named);
  // Not recorded.
  clock.advance(minute);
  state.answer = undecided;
  await made.renewals.renewStored(call(), row);
  const { one } = made.table;
  made.table.one = () => Promise.reject(new Error('down'));
  clock.advance(1000);
  made.entra.acceptances.note((await made.entra.token('service', log)).token, log);
  await expect.poll(() => lines.find((line) => line.includes('storeId.refusalNotRecorded'))).toMatch(named);
  made.table.one = one;
  // Not encrypted anew.
  await store(keyOf(clock.now()));
  clock.advance(11 * minute);
  made.put('k', Buffer.alloc(32, 1).toString('base64'));
  made.table.put = () => Promise.reject(new Error('down'));
  await made.keyring.forUser(call(), 'u', 'default', 'collections');
  expect(lines.find((line) => line.includes('storeId.notReencrypted'))).toMatch(named);
});

test.each([
  ['about a token', undecided(), false],
  ['about the key', named(), true],
])('two proven refusals %s, ten minutes apart, end a key', async (_name, response, isNamed) => {
  const { renew, query, key, clock, state, stored, otherCall } = await dueKey();
  state.answer = () => response;
  expect(await renew()).toMatchObject({ outcome: 'refused', named: isNamed, problem: { code: 'store_id_expired' } });
  await otherCall();
  expect((await stored())?.row.unrenewable).toBe(false);
  clock.advance(9 * minute);
  await renew();
  await otherCall();
  expect((await stored())?.row.unrenewable).toBe(false);
  clock.advance(minute);
  await renew();
  expect((await stored())?.row.unrenewable).toBe(false);
  await otherCall();
  expect((await stored())?.row.unrenewable).toBe(true);
  // Until it expires it is used.
  expect(await query()).toBe(key);
});

test('refusals without proof that the service\u2019s token is good never end a key', async () => {
  const { renew, clock, state, stored } = await dueKey();
  state.answer = undecided;
  for (let round = 0; round < 4; round += 1) {
    await renew();
    clock.advance(11 * minute);
  }
  expect(historyOf(await stored())).toEqual([false, undefined]);
});

test('the proof is for the very token that was refused', async () => {
  const { renew, clock, state, stored, otherCall } = await dueKey();
  state.answer = undecided;
  for (let round = 0; round < 3; round += 1) {
    await renew();
    // By the time of the next call there is another token.
    clock.advance(61 * minute);
    await otherCall();
  }
  expect(historyOf(await stored())).toEqual([false, undefined]);
});

test('a refusal that may be the service token\u2019s fault is not remembered against another token', async () => {
  const { renew, clock, state, asked, entra, callNow } = await dueKey();
  state.answer = undecided;
  await renew();
  await renew();
  expect(asked).toHaveLength(1);
  await entra.mint('service', callNow().log);
  await renew();
  state.answer = named;
  await renew();
  expect(asked.map(({ token }) => token)).toEqual(['token 1', 'token 2']);
  clock.advance(30_000);
  await renew();
  await entra.mint('service', callNow().log);
  await renew();
  expect(asked).toHaveLength(3);
});

test('an unrenewable key is tried again once a day, and heals', async () => {
  const { query, store, key, clock, state, asked, stored } = await dueKey();
  await store(key, { unrenewable: true, refusedAt: clock.now() });
  state.answer = undecided;
  clock.advance(day - 1);
  expect([await query(), asked.length]).toEqual([key, 0]);
  clock.advance(1);
  expect([await query(), asked.length]).toEqual([key, 1]);
  clock.advance(minute);
  expect([await query(), asked.length]).toEqual([key, 1]);
  clock.advance(day);
  const renewedKey = keyOf(clock.now());
  state.answer = () => answer(200, { key: renewedKey });
  expect(await query()).toBe(renewedKey);
  expect(historyOf(await stored())).toEqual([false, undefined]);
});

test('a user without a key is told how to register one', async () => {
  const { keyring, callNow } = world();
  for (const [kind, member] of [
    ['collections', 'collectionsId'],
    ['purchase', 'purchaseId'],
  ] as const) {
    const message = expect.stringContaining(`PUT /api/users/{userId}/store-ids with ${member}`);
    await expect(keyring.forUser(callNow(), 'u', 'default', kind)).rejects.toMatchObject({
      code: 'unknown_user',
      message,
    });
  }
});

test('an expired key: refused is store_id_expired, not reached is why', async () => {
  const { query, store, clock, state } = await dueKey();
  await store(keyOf(clock.now() - 40 * day));
  state.answer = undecided;
  await expect(query()).rejects.toMatchObject({ code: 'store_id_expired' });
  clock.advance(30_000);
  state.answer = () => answer(500, '');
  await expect(query()).rejects.toMatchObject({ code: 'store_unavailable' });
  clock.advance(30_000);
  state.answer = () => refused('InconsistentClientId');
  await expect(query()).rejects.toMatchObject({ code: 'store_unauthorized' });
});

/** A user with a fresh key, and a new version of the secret that encrypts it. */
async function rotated() {
  const made = await dueKey();
  const { clock, store, put } = made;
  const fresh = keyOf(clock.now());
  await store(fresh);
  clock.advance(11 * minute);
  put('k', Buffer.alloc(32, 1).toString('base64'));
  return { ...made, fresh };
}

test('after a rotation a key is encrypted anew before the query goes on', async () => {
  const { query, fresh, stored } = await rotated();
  expect(await query()).toBe(fresh);
  expect(await stored()).toMatchObject({ key: fresh, row: { secretVersion: 'v2' } });
});

test('a newer key that is registered meanwhile is not overwritten by it', async () => {
  const { query, fresh, store, stored, table, clock } = await rotated();
  const registered = keyOf(clock.now());
  const { one } = table;
  table.one = async (asked) => {
    const found = await one(asked);
    table.one = one;
    await store(registered);
    return found;
  };
  expect(await query()).toBe(fresh);
  expect((await stored())?.key).toBe(registered);
});

test('two instances, one of which does not know the new version yet, do not undo each other\u2019s work', async () => {
  const { query, fresh, stored, writes, clock, anotherInstance, table, renewals } = await rotated();
  // The other instance has read the secret before it was rotated.
  const behind = createKeyCipher(staleSecrets(anotherInstance(), 'v1'), 'k');
  const other = createKeyring({ clientId: 'client', clock, cipher: behind, table, renewals });
  const before = writes();
  for (let round = 0; round < 3; round += 1) {
    expect(await query()).toBe(fresh);
    expect((await other.forUser(testCall(), 'u', 'default', 'collections')).current()).toBe(fresh);
  }
  expect([writes() - before, (await stored())?.row.secretVersion]).toEqual([1, 'v2']);
});

/** Secrets whose newest version stays what it was. */
function staleSecrets(secrets: Secrets, version: string): Secrets {
  return { ...secrets, newest: (name, log) => secrets.version(name, version, log) };
}
