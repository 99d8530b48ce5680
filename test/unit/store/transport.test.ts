import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { problemFromResponse } from '../../../src/shared/store/errors.ts';
import { StoreNoResponseError } from '../../../src/shared/store/response.ts';
import { backoffMs, canWait, isRetriable, type RetryPolicy, readRetryPolicy } from '../../../src/shared/store/retry.ts';
import { createStoreTransport } from '../../../src/shared/store/transport.ts';
import { testCall, testClock } from '../../support/call.ts';
import { json, type Reply, scripted } from '../../support/httpServer.ts';

function parsedLine(line: string) {
  const [level] = line.split(' ', 1);
  return { level, ...JSON.parse(line.slice(line.indexOf('{'))) };
}

const once: RetryPolicy = { attempts: 1, onNoResponse: false, onThrottling: false };

interface Options {
  retry?: RetryPolicy;
  deadlineIn?: number;
  /** By the real clock: short only where no answer is expected. */
  attemptTimeoutMs?: number;
}

async function sending(replies: Reply[], options: Options = {}) {
  const { retry = readRetryPolicy, deadlineIn = 45_000, attemptTimeoutMs = 30_000 } = options;
  const clock = testClock();
  const server = await scripted(...replies);
  const send = createStoreTransport({ clock, attemptTimeoutMs, random: () => 0.5 });
  const call = testCall({ deadline: clock.now() + deadlineIn });
  const request = {
    operation: 'op',
    url: `${server.url}/v1/op`,
    headers: { authorization: 'Bearer t' },
    body: { a: 1 },
    retry,
  };
  return { server, clock, call, outcome: () => send(call, request) };
}

test('a request: method, path, headers and body', async () => {
  const { server, outcome } = await sending([json(200, { ok: true })]);
  expect(await outcome()).toMatchObject({ status: 200, body: { ok: true } });
  const { method, path, headers, body } = server.received[0] ?? expect.fail('nothing received');
  expect({ method, path, body }).toEqual({ method: 'POST', path: '/v1/op', body: '{"a":1}' });
  expect(headers).toMatchObject({ authorization: 'Bearer t', 'content-type': 'application/json' });
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(headers['user-agent']).toBe(`microsoft-store-functions/${version}`);
});

test('a call is one line of the log: what came of it, how long it took, and what identifies it to support', async () => {
  const ids = { 'MS-CorrelationId': 'c1', 'MS-RequestId': 'r1', 'MS-CV': 'v1' };
  const fine = await sending([json(500, {}), json(201, { ok: true }, ids)]);
  expect(await fine.outcome()).toMatchObject({ status: 201, body: { ok: true } });
  expect(fine.call.lines.map(parsedLine)).toEqual([
    {
      level: 'info',
      event: 'store.call',
      correlationId: 'test',
      operation: 'op',
      outcome: 201,
      ms: 200,
      attempts: 2,
      otherAttempts: '500',
      cv: 'v1',
      storeRequestId: 'r1',
      storeCorrelationId: 'c1',
    },
  ]);
  const refused = await sending([json(400, { code: 'BadRequest' }, ids)]);
  await refused.outcome();
  expect(refused.call.lines.map(parsedLine)).toMatchObject([
    { level: 'warn', outcome: 400, attempts: 1, code: 'BadRequest', storeRequestId: 'r1' },
  ]);
});

test('500 three times, then 200', async () => {
  const { clock, outcome } = await sending([json(500, {}), json(503, {}), json(500, {}), json(200, {})]);
  expect((await outcome()).status).toBe(200);
  expect(clock.slept).toEqual([200, 400, 800]);
});

test('after the fourth failure the answer stands', async () => {
  const { outcome } = await sending(Array.from({ length: 4 }, () => json(500, {})));
  expect((await outcome()).status).toBe(500);
});

test('an operation that does not declare a retry is sent once', async () => {
  const failing = await sending([json(500, {})], { retry: once });
  expect((await failing.outcome()).status).toBe(500);
  const silent = await sending([(response) => response.destroy()], { retry: once });
  await expect(silent.outcome()).rejects.toBeInstanceOf(StoreNoResponseError);
});

test('a short Retry-After is waited out, a long one is returned', async () => {
  const short = await sending([json(429, {}, { 'retry-after': '1' }), json(200, {})]);
  expect((await short.outcome()).status).toBe(200);
  expect(short.clock.slept).toEqual([1000]);
  const long = await sending([json(429, {}, { 'retry-after': '120' })]);
  const answer = await long.outcome();
  expect(answer).toMatchObject({ status: 429, retryAfterSeconds: 120 });
  expect(problemFromResponse(answer)).toMatchObject({ code: 'store_throttled', details: { retryAfterSeconds: 120 } });
});

test('no wait goes beyond the deadline', async () => {
  const { outcome, clock } = await sending([json(429, {}, { 'retry-after': '4' })], { deadlineIn: 4500 });
  expect((await outcome()).status).toBe(429);
  expect(clock.slept).toEqual([]);
});

const html: Reply = (response) =>
  response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Bad Gateway</html>');
const huge: Reply = (response) => response.writeHead(200).end(`"${'x'.repeat(10 * 1024 * 1024)}"`);
const endless: Reply = (response) => {
  response.writeHead(200);
  response.write('{"items":[');
};
const silent: Reply = () => undefined;
const cut: Reply = (response) => {
  response.writeHead(200, { 'content-length': '100' });
  response.write('{"a":', () => response.destroy());
};

test.each([
  ['HTML', html],
  ['no JSON', ((response) => response.writeHead(200).end('{"a":')) as Reply],
  ['10 MB', huge],
  ['a body that never ends', endless],
  ['half a body', cut],
  ['a closed connection', ((response) => response.destroy()) as Reply],
  ['no answer at all', silent],
])('no readable answer: %s', async (_name, reply) => {
  const hangs = reply === endless || reply === silent;
  const { outcome, call } = await sending([reply], {
    retry: once,
    attemptTimeoutMs: hangs ? 1000 : 30_000,
    deadlineIn: 3_600_000,
  });
  await expect(outcome()).rejects.toBeInstanceOf(StoreNoResponseError);
  expect(call.lines.join()).toContain('"outcome":"noResponse"');
  const again = await sending([reply, json(200, { fine: 1 })], { attemptTimeoutMs: hangs ? 3000 : 30_000 });
  expect((await again.outcome()).body).toEqual({ fine: 1 });
});

test.each([
  ['HTML', (response, ids) => response.writeHead(200, { ...ids, 'content-type': 'text/html' }).end('<html>')],
  ['no content', (response, ids) => response.writeHead(204, ids).end()],
  [
    'half a body',
    (response, ids) => {
      response.writeHead(200, { ...ids, 'content-length': '100' });
      response.write('{"a":', () => response.destroy());
    },
  ],
] satisfies [
  string,
  (response: ServerResponse, ids: Record<string, string>) => unknown,
][])('a success without JSON is named to support by its headers: %s', async (_name, reply) => {
  const ids = { 'MS-CorrelationId': 'c1', 'MS-RequestId': 'r1', 'MS-CV': 'v1' };
  const { outcome, call } = await sending([(response) => reply(response, ids)], { retry: once });
  await expect(outcome()).rejects.toBeInstanceOf(StoreNoResponseError);
  const named = { outcome: 'noResponse', cv: 'v1', storeRequestId: 'r1', storeCorrelationId: 'c1' };
  expect(call.lines.map(parsedLine)).toMatchObject([named]);
});

test('a redirect is not followed', async () => {
  const elsewhere = await scripted();
  const { outcome } = await sending([(response) => response.writeHead(307, { location: elsewhere.url }).end()]);
  const answer = await outcome();
  expect(answer.status).toBe(307);
  expect(problemFromResponse(answer).code).toBe('store_unavailable');
  expect(elsewhere.received).toEqual([]);
});

test('what the Store said is returned and logged, without secrets', async () => {
  const secret = 'eyJhbGciOiJSUzI1NiJ9.eyJpYXQiOjF9.c2ln';
  const body = {
    code: 'Unauthorized',
    innererror: { code: 'AuthenticationTokenInvalid', message: `no: ${secret}`, data: [] },
  };
  const headers = { 'MS-CorrelationId': 'c1', 'MS-CV': 'v1' };
  const { outcome, call } = await sending([json(401, body, headers)]);
  expect((await outcome()).error).toEqual({
    status: 401,
    code: 'AuthenticationTokenInvalid',
    message: 'no: [redacted]',
    correlationId: 'c1',
    cv: 'v1',
  });
  expect(call.lines.join()).toContain('"cv":"v1"');
  expect(call.lines.join()).not.toContain(secret);
});

test.each([
  [401, '<html>', 'store_unauthorized'],
  [403, '<html>', 'store_unavailable'],
  [403, { code: 'Forbidden' }, 'store_rejected'],
  [400, { code: 'BadRequest', innererror: { code: 'InvalidParameter' } }, 'store_rejected'],
  [400, { code: 'Unauthorized', innererror: { code: 'partnerAadTicketRequired' } }, 'store_unauthorized'],
  [400, { code: 5 }, 'store_unavailable'],
  [404, '', 'store_unavailable'],
  [502, { code: 'X' }, 'store_unavailable'],
])('a refusal of a read: %i %j', async (status, body, code) => {
  const { outcome } = await sending(
    [(response) => response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))],
    { retry: once },
  );
  expect(problemFromResponse(await outcome()).code).toBe(code);
});

test('pauses double with jitter, and a longer Retry-After replaces them', () => {
  expect([1, 2, 3].map((attempt) => backoffMs(attempt, null, 0))).toEqual([100, 200, 400]);
  expect(backoffMs(1, null, 0.999)).toBeLessThan(300);
  expect(backoffMs(1, 5000, 0)).toBe(5000);
  expect(canWait(5000, 60_000)).toBe(true);
  expect(canWait(5001, 60_000)).toBe(false);
  expect(isRetriable(429, once)).toBe(false);
  expect(isRetriable(404, readRetryPolicy)).toBe(false);
});
