import { expect, test } from 'vitest';
import * as z from 'zod';
import { createAskStore, nextStep, type UserKey } from '../../../src/shared/store/authorize.ts';
import { refusalOf, StoreNoResponseError, type StoreResponse } from '../../../src/shared/store/response.ts';
import { readRetryPolicy } from '../../../src/shared/store/retry.ts';
import type { StoreRequest } from '../../../src/shared/store/transport.ts';
import { testCall } from '../../support/call.ts';
import { answer, refusal } from '../../support/storeAnswer.ts';

/** A Store that answers in turn, an Entra that counts its tokens, and a key that can be replaced once. */
function asking(...answers: StoreResponse[]) {
  const sent: StoreRequest[] = [];
  let tokens = 1;
  let key = 'key 1';
  const token = async () => ({ token: `token ${tokens}`, expiresAt: 0 });
  const entra = {
    token,
    mint: token,
    invalidate: () => {
      tokens += 1;
    },
  };
  const userKey: UserKey = {
    current: () => key,
    replace: async () => {
      key = 'key 2';
    },
  };
  const ask = createAskStore(async (_call, request) => {
    sent.push(request);
    return answers[sent.length - 1] ?? expect.fail('asked too often');
  }, entra);
  const operation = {
    operation: 'op',
    url: 'https://store.example/op',
    body: (given: string | undefined) => ({ key: given ?? null }),
    retry: readRetryPolicy,
    schema: z.object({ value: z.number() }),
  };
  const call = testCall();
  const identities = () =>
    sent.map(({ headers, body }) => [headers?.authorization, (body as { key: string | null }).key]);
  return { call, identities, sent, asUser: () => ask(call, userKey, operation), ask, operation };
}

const done = answer(200, { value: 1 });
const unauthorized = (code: string) => answer(401, refusal('Unauthorized', code));

test('as a user: the service token in the header, the key in the body, the parsed result and what identifies the call', async () => {
  const { asUser, identities } = asking(done);
  expect(await asUser()).toEqual({ value: { value: 1 }, info: done.error });
  expect(identities()).toEqual([['Bearer token 1', 'key 1']]);
});

test('with an X-token: it and its signature in the headers, no key in the body', async () => {
  const { ask, call, operation, sent } = asking(done);
  await ask(call, { xToken: { userHash: 'h', token: 't', signature: 's' } }, operation);
  expect(sent[0]?.headers).toEqual({ authorization: 'XBL3.0 x=h;t', signature: 's' });
  expect(sent[0]?.body).toEqual({ key: null });
});

test.each([
  [401, 'x_token_expired'],
  [403, 'xbox_rejected'],
  [429, 'store_throttled'],
])('an X-token that is answered with %i is %s, and is not sent again', async (status, code) => {
  const { ask, call, operation, sent } = asking(answer(status, refusal('Unauthorized')));
  await expect(ask(call, { xToken: { userHash: 'h', token: 't' } }, operation)).rejects.toMatchObject({ code });
  expect(sent).toHaveLength(1);
});

test('a refused identity: a new service token, then a new key, then the refusal stands', async () => {
  const refused = unauthorized('AuthenticationTokenInvalid');
  const { asUser, identities } = asking(refused, refused, refused);
  const fault = await asUser().catch((error: unknown) => error);
  expect(fault).toMatchObject({ code: 'store_unauthorized', response: refused });
  expect(identities()).toEqual([
    ['Bearer token 1', 'key 1'],
    ['Bearer token 2', 'key 1'],
    ['Bearer token 2', 'key 2'],
  ]);
});

test('a refusal belongs to its own operation alone', async () => {
  const { asUser } = asking(answer(404, refusal('NotFound')));
  const fault = await asUser().catch((error: unknown) => error);
  expect(fault).toMatchObject({ code: 'store_rejected', details: { store: { status: 404, code: 'NotFound' } } });
  expect(refusalOf(fault, 'op')?.status).toBe(404);
  expect(refusalOf(fault, 'another')).toBeUndefined();
  expect(refusalOf(new Error('no refusal'), 'op')).toBeUndefined();
});

test('an answer that is not as documented counts as none: what was asked may have happened; the log names the field', async () => {
  const { asUser, call } = asking(answer(200, { value: 'one' }));
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
