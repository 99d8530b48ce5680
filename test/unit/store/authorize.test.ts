import { expect, test } from 'vitest';
import * as z from 'zod';
import { Problem } from '../../../src/shared/contract/problems.ts';
import { createEntra } from '../../../src/shared/identity/entra.ts';
import { createAskStore, NoOtherKeyError, nextStep, type UserKey } from '../../../src/shared/store/authorize.ts';
import { storeIdExpired } from '../../../src/shared/store/errors.ts';
import {
  NothingSentError,
  refusalOf,
  StoreNoResponseError,
  StoreRefusedError,
  type StoreResponse,
} from '../../../src/shared/store/response.ts';
import { readRetryPolicy } from '../../../src/shared/store/retry.ts';
import type { StoreRequest } from '../../../src/shared/store/transport.ts';
import { testCall, testClock } from '../../support/call.ts';
import { answer, refusal } from '../../support/storeAnswer.ts';

interface Asking {
  /** Whether the Store has taken another token of this service lately. */
  tokenIsGood?: boolean;
  /** What comes of an attempt to replace the key. */
  replace?: () => Promise<void>;
  deadlineMs?: number;
  /** How old the service token is. */
  tokenAgeMs?: number;
}

/** A Store that answers in turn, an Entra whose tokens are old enough to be at fault, and a key that can be replaced once. */
function asking(
  answers: (StoreResponse | Error)[],
  { tokenIsGood = false, replace, deadlineMs = 45_000, tokenAgeMs = 120_000 }: Asking = {},
) {
  const sent: StoreRequest[] = [];
  const clock = testClock();
  const state = { tokens: 0, entraFault: undefined as Error | undefined };
  let key = 'key 1';
  const entra = createEntra(async () => {
    if (state.entraFault) throw state.entraFault;
    state.tokens += 1;
    return { token: `token ${state.tokens}`, expiresOnTimestamp: clock.now() + 3600_000 };
  }, clock);
  const call = testCall({ deadline: clock.now() + tokenAgeMs + deadlineMs });
  const userKey: UserKey = {
    current: () => key,
    replace: async () => {
      await replace?.();
      key = 'key 2';
    },
  };
  const askStore = createAskStore(
    async (_call, request) => {
      sent.push(request);
      const answered = answers[sent.length - 1] ?? expect.fail('asked too often');
      if (answered instanceof Error) throw answered;
      return answered;
    },
    entra,
    clock,
  );
  const ask: typeof askStore = async (...asked) => {
    await entra.token('service', call.log).catch(() => undefined);
    clock.advance(tokenAgeMs);
    if (tokenIsGood) entra.acceptances.note('another token', call.log);
    return askStore(...asked);
  };
  const operation = {
    operation: 'op',
    url: 'https://store.example/op',
    body: (given: string | undefined) => ({ key: given ?? null }),
    retry: readRetryPolicy,
    schema: z.object({ value: z.number() }),
  };
  const identities = () =>
    sent.map(({ headers, body }) => [headers?.authorization, (body as { key: string | null }).key]);
  return { call, identities, sent, state, clock, asUser: () => ask(call, userKey, operation), ask, operation };
}

const done = answer(200, { value: 1 });
const unauthorized = (code: string) => answer(401, refusal('Unauthorized', code));

test('as a user: the service token in the header, the key in the body, the parsed result and what identifies the call', async () => {
  const { asUser, identities } = asking([done]);
  expect(await asUser()).toEqual({ value: { value: 1 }, info: done.error });
  expect(identities()).toEqual([['Bearer token 1', 'key 1']]);
});

test('with an X-token: it and its signature in the headers, no key in the body', async () => {
  const { ask, call, operation, sent } = asking([done]);
  await ask(call, { xToken: { userHash: 'h', token: 't', signature: 's' } }, operation);
  expect(sent[0]?.headers).toEqual({ authorization: 'XBL3.0 x=h;t', signature: 's' });
  expect(sent[0]?.body).toEqual({ key: null });
});

test.each([
  [401, 'x_token_expired'],
  [403, 'xbox_rejected'],
  [429, 'store_throttled'],
])('an X-token that is answered with %i is %s, and is not sent again', async (status, code) => {
  const { ask, call, operation, sent } = asking([answer(status, refusal('Unauthorized'))]);
  await expect(ask(call, { xToken: { userHash: 'h', token: 't' } }, operation)).rejects.toMatchObject({ code });
  expect(sent).toHaveLength(1);
});

test('a refused identity: a new service token, then a new key, then the refusal stands', async () => {
  const refused = unauthorized('AuthenticationTokenInvalid');
  const { asUser, identities } = asking([refused, refused, refused]);
  const fault = await asUser().catch((error: unknown) => error);
  expect(fault).toMatchObject({ code: 'store_unauthorized', response: refused });
  expect(identities()).toEqual([
    ['Bearer token 1', 'key 1'],
    ['Bearer token 2', 'key 1'],
    ['Bearer token 2', 'key 2'],
  ]);
});

test('a refusal belongs to its own operation alone', async () => {
  const { asUser } = asking([answer(404, refusal('NotFound'))]);
  const fault = await asUser().catch((error: unknown) => error);
  expect(fault).toMatchObject({ code: 'store_rejected', details: { store: { status: 404, code: 'NotFound' } } });
  expect(refusalOf(fault, 'op')?.status).toBe(404);
  expect(refusalOf(fault, 'another')).toBeUndefined();
  expect(refusalOf(new Error('no refusal'), 'op')).toBeUndefined();
});

test('an answer that is not as documented counts as none: what was asked may have happened; the log names the field', async () => {
  const { asUser, call } = asking([answer(200, { value: 'one' })]);
  await expect(asUser()).rejects.toBeInstanceOf(StoreNoResponseError);
  expect(call.lines.join()).toMatch(/store\.unexpectedAnswer.*value/);
});

test('after a refused identity: a new service token, then a new key, each once', () => {
  const none = { newToken: false, newKey: false };
  expect(nextStep('undecided', none)).toBe('newToken');
  expect(nextStep('undecided', { newToken: true, newKey: false })).toBe('newKey');
  expect(nextStep('undecided', { newToken: true, newKey: true })).toBe('none');
  expect(nextStep('key', none)).toBe('newKey');
  expect(nextStep('key', { newToken: false, newKey: true })).toBe('none');
  expect(nextStep('service', { newToken: true, newKey: false })).toBe('none');
});

test('a failure of the Store itself is nobody\u2019s key', () => {
  expect(nextStep('store', { newToken: false, newKey: false })).toBe('newToken');
  expect(nextStep('store', { newToken: true, newKey: false })).toBe('none');
});

const failure = (text: string) =>
  answer(401, { code: 'Unauthorized', innererror: { code: 'authenticationFAILURE', data: [text] } });
const badToken = unauthorized('AuthenticationTokenInvalid');
const badKey = failure('authenticationTokenInvalid: ... B2B key : IDX10511: no');
const noOtherKey = (proven: boolean) => () => Promise.reject(new NoOtherKeyError(storeIdExpired('key'), proven));

test.each<[string, StoreResponse, Asking, string, number]>([
  [
    'the Store names its own failure',
    failure('InternalAadAuthenticationError: internalServerError'),
    {},
    'store_unavailable',
    2,
  ],
  [
    'its own failure beside the name of the key',
    failure('internalaadauthenticationerror B2B key'),
    {},
    'store_unavailable',
    2,
  ],
  ['the Store names the key', badKey, {}, 'store_id_expired', 2],
  ['the Store names the key, which cannot be renewed', badKey, { replace: noOtherKey(false) }, 'store_id_expired', 1],
  ['the Store names the service', unauthorized('partneraadticketrequired'), {}, 'store_unauthorized', 2],
  ['another client', unauthorized('InconsistentClientId'), { tokenIsGood: true }, 'store_unauthorized', 2],
  ['a token that is not taken', badToken, {}, 'store_unauthorized', 3],
  ['the same while the Store takes the service\u2019s token', badToken, { tokenIsGood: true }, 'store_id_expired', 3],
  [
    'no other key, and nothing shows whose fault it is',
    badToken,
    { replace: noOtherKey(false) },
    'store_unauthorized',
    2,
  ],
  ['no other key, which is proven', badToken, { replace: noOtherKey(true) }, 'store_id_expired', 2],
  [
    'no other key while the Store takes the service\u2019s token',
    badToken,
    { replace: noOtherKey(false), tokenIsGood: true },
    'store_id_expired',
    2,
  ],
  [
    'a key that cannot be renewed now',
    badToken,
    { replace: () => Promise.reject(new Problem('store_throttled', 'later')) },
    'store_throttled',
    2,
  ],
])('%s', async (_name, refused, how, code, times) => {
  const { asUser, sent } = asking([refused, refused, refused], how);
  const fault = await asUser().catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(StoreRefusedError);
  expect(fault).toMatchObject({ code, response: refused });
  expect(sent).toHaveLength(times);
});

const young = { tokenAgeMs: 30_000 };

test('a token that is not replaced is not sent again with the same key: the key comes next', async () => {
  const { asUser, identities } = asking([badToken, done], young);
  expect((await asUser()).value).toEqual({ value: 1 });
  expect(identities()).toEqual([
    ['Bearer token 1', 'key 1'],
    ['Bearer token 1', 'key 2'],
  ]);
});

test.each<[string, StoreResponse, Asking, string]>([
  ['the service', unauthorized('partneraadticketrequired'), young, 'store_unauthorized'],
  ['the Store itself', failure('InternalAadAuthenticationError'), young, 'store_unavailable'],
  ['one of the two, without another key', badToken, { ...young, replace: noOtherKey(false) }, 'store_unauthorized'],
])('a refusal about %s, without another token, is the answer to the one call', async (_name, refused, how, code) => {
  const { asUser, sent } = asking([refused], how);
  await expect(asUser()).rejects.toMatchObject({ code, response: refused });
  expect(sent).toHaveLength(1);
});

test('a token that cannot be replaced, since Entra gives none, is not sent again either', async () => {
  const refused = unauthorized('partneraadticketrequired');
  const { asUser, sent, state, call, ask, operation } = asking([done, refused], { deadlineMs: 300_000 });
  await ask(call, { current: () => 'key 1', replace: async () => undefined }, operation);
  state.entraFault = new Problem('unavailable', 'no');
  await expect(asUser()).rejects.toMatchObject({ code: 'store_unauthorized' });
  expect(sent).toHaveLength(2);
});

test('a service that cannot be identified sends nothing, and says so', async () => {
  const { asUser, sent, state, call } = asking([]);
  state.entraFault = new Problem('store_unauthorized', 'refused');
  const fault = await asUser().catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(NothingSentError);
  expect(fault).toMatchObject({ code: 'store_unauthorized' });
  expect([sent.length, call.lines.length]).toEqual([0, 0]);
});

test('with less time than an answer takes, nothing is sent', async () => {
  for (const [deadlineMs, times] of [
    [1999, 0],
    [2000, 1],
  ] as const) {
    for (const withXToken of [false, true]) {
      const { asUser, ask, call, operation, sent } = asking([done], { deadlineMs });
      const asked = withXToken ? ask(call, { xToken: { userHash: 'h', token: 't' } }, operation) : asUser();
      const fault = await asked.catch((error: unknown) => error);
      expect([fault instanceof NothingSentError, sent.length]).toEqual([times === 0, times]);
    }
  }
});

test('once the Store has refused, a try that sends nothing leaves the refusal as it is', async () => {
  const notSent = new NothingSentError(new Problem('unavailable', 'no connection'));
  const { asUser } = asking([badToken, notSent]);
  const fault = await asUser().catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(StoreRefusedError);
  expect(fault).toMatchObject({ response: badToken });
});

test('once the Store has refused, a try without an answer may have acted', async () => {
  const { asUser } = asking([badToken, new StoreNoResponseError(new Error('cut off'))]);
  await expect(asUser()).rejects.toBeInstanceOf(StoreNoResponseError);
});

test('any success is a result', async () => {
  const { asUser } = asking([answer(201, { value: 1 })]);
  expect((await asUser()).value).toEqual({ value: 1 });
});

test('a call that the Store took shows that this service\u2019s token is good', async () => {
  const { asUser, sent } = asking([done, badToken, badToken, badToken], { deadlineMs: 200_000 });
  await asUser();
  await expect(asUser()).rejects.toMatchObject({ code: 'store_id_expired' });
  expect(sent).toHaveLength(4);
});
