import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Agent } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/shared/lib/clock.ts';
import { createConnections, createStoreAgent } from '../../../src/shared/store/connections.ts';
import { createKeysApi } from '../../../src/shared/store/keys.ts';
import { NothingSentError, StoreNoResponseError, StoreNotReachedError } from '../../../src/shared/store/response.ts';
import { idempotentRetryPolicy, type RetryPolicy } from '../../../src/shared/store/retry.ts';
import { createStoreTransport, type SendToStore, type TransportOptions } from '../../../src/shared/store/transport.ts';
import { testCall, testClock } from '../../support/call.ts';
import { json, type Received, type Reply, scripted } from '../../support/httpServer.ts';
import { answer } from '../../support/storeAnswer.ts';

const once: RetryPolicy = { attempts: 1, onNoResponse: false, onThrottling: false };
const silent: Reply = () => undefined;

function sender(url: string, options: Partial<TransportOptions>, retry = once) {
  const clock = testClock();
  const dispatcher = options.dispatcher ?? new Agent({ connections: options.width ?? 1 });
  onTestFinished(() => dispatcher.destroy());
  const send = createStoreTransport({ clock, random: () => 0, ...options, dispatcher });
  const call = (deadlineIn = 45_000) => testCall({ deadline: clock.now() + deadlineIn });
  const request = { operation: 'op', url, body: {}, retry };
  return { post: (deadlineIn?: number, context = call(deadlineIn)) => send(context, request), call };
}

const kindOf = (fault: Error): string => fault.constructor.name;

test('more calls than connections: each is answered, lost after it was sent, or known as not sent', async () => {
  const received: Received[] = [];
  const server = await scripted(
    ...Array.from({ length: 4 }, (): Reply => (_response, request) => received.push(request)),
  );
  const { post } = sender(server.url, { width: 4, attemptTimeoutMs: 1000, connectionWaitMs: 200 });
  const calls = Array.from({ length: 40 }, () => post().then(String, kindOf));
  const outcomes = await Promise.all(calls);
  const count = (kind: unknown) => outcomes.filter((one) => one === kind).length;
  expect(count('StoreNoResponseError')).toBe(server.received.length);
  expect(count('NothingSentError')).toBe(40 - server.received.length);
});

test('what could not be sent says so, is a problem with Retry-After, and a connection that is free again is used', async () => {
  let answerFirst: () => unknown = () => undefined;
  const held: Reply = (response, request) => {
    answerFirst = () => json(200, { n: 1 })(response, request);
  };
  const server = await scripted(held, json(200, { n: 2 }), json(200, { n: 3 }));
  const { post, call } = sender(server.url, { width: 1, connectionWaitMs: 100 });
  const first = post();
  await expect.poll(() => server.received.length).toBe(1);
  const context = call();
  const fault = await post(undefined, context).catch((thrown: unknown) => thrown);
  expect(fault).toBeInstanceOf(NothingSentError);
  expect(fault).toMatchObject({ code: 'store_unavailable', details: { retryAfterSeconds: 5 } });
  expect(context.lines.join()).toMatch(/^warn .*"outcome":"notSent".*"attempts":0/);
  const waiting = post();
  answerFirst();
  expect((await first).body).toEqual({ n: 1 });
  expect((await waiting).body).toEqual({ n: 2 });
  expect((await post()).body).toEqual({ n: 3 });
});

test('a retry that cannot be sent leaves the outcome of what was sent', async () => {
  let lose: () => unknown = () => undefined;
  const server = await scripted((response) => {
    lose = () => response.destroy();
  }, silent);
  const { post } = sender(server.url, { width: 1, connectionWaitMs: 100 }, idempotentRetryPolicy);
  const first = post();
  await expect.poll(() => server.received.length).toBe(1);
  const second = post();
  second.catch(() => undefined);
  lose();
  await expect(first).rejects.toBeInstanceOf(StoreNoResponseError);
  expect(server.received).toHaveLength(2);
});

test('with too little time for an answer nothing is sent', async () => {
  const server = await scripted();
  const { post } = sender(server.url, { width: 1 });
  await expect(post(900)).rejects.toBeInstanceOf(NothingSentError);
});

test('the time to make a connection is not the Store\u2019s', async () => {
  const server = await scripted(json(200, { fine: true }));
  const { hostname, port } = new URL(server.url);
  const dispatcher = new Agent({
    connect: (_options, callback) => {
      setTimeout(() => {
        const socket = connect(Number(port), hostname, () => callback(null, socket));
      }, 1000);
    },
  });
  const { post } = sender(server.url, { dispatcher, attemptTimeoutMs: 700 });
  expect((await post()).body).toEqual({ fine: true });
});

test('hosts have connections of their own, and so have renewals', async () => {
  const { line } = createConnections(new Agent(), 1);
  expect(await line('https://a.example/x', 'calls').take(0)).toBe(true);
  expect(await line('https://b.example/x', 'calls').take(0)).toBe(true);
  expect(await line('https://a.example/x', 'renewals').take(0)).toBe(true);
  expect(await line('https://a.example/y', 'calls').take(0)).toBe(false);
  expect(await line('https://a.example/y', 'renewals').take(0)).toBe(false);
  line('https://a.example/y', 'calls').giveBack();
  expect(await line('https://a.example/y', 'renewals').take(0)).toBe(false);
  expect(await line('https://a.example/y', 'calls').take(0)).toBe(true);
});

test('renewals that hang take a few connections, and wait for one shortly; queries go on', async () => {
  const received: Received[] = [];
  const server = await scripted(
    ...Array.from({ length: 16 }, (): Reply => (_response, request) => received.push(request)),
    json(200, { fine: true }),
  );
  const clock = testClock();
  const dispatcher = createStoreAgent();
  onTestFinished(() => dispatcher.destroy());
  const send = createStoreTransport({ clock, random: () => 0, dispatcher });
  const call = () => testCall({ deadline: clock.now() + 45_000 });
  const renew = { operation: 'renew', url: `${server.url}/renew`, body: {}, retry: once, lane: 'renewals' } as const;
  const from = performance.now();
  const ended: string[] = [];
  const renewals = Array.from({ length: 120 }, () =>
    send(call(), renew)
      .then(String, kindOf)
      .then((outcome) => ended.push(outcome)),
  );
  await expect.poll(() => received.length).toBe(16);
  const query = await send(call(), { operation: 'query', url: `${server.url}/query`, body: {}, retry: once });
  expect(query.body).toEqual({ fine: true });
  // Those that are sent have no answer yet.
  await expect.poll(() => ended.length, { timeout: 4000 }).toBe(104);
  expect(performance.now() - from).toBeLessThan(4000);
  expect(new Set(ended)).toEqual(new Set(['NothingSentError']));
  await dispatcher.destroy();
  await Promise.all(renewals);
});

test('a key is renewed by the connections of renewals', async () => {
  const lanes: unknown[] = [];
  const send: SendToStore = async (_call, { lane }) => {
    lanes.push(lane);
    return answer(200, { key: 'k' });
  };
  const urls = { collections: 'https://c.example', purchase: 'https://p.example' };
  await createKeysApi(send, urls).renew(testCall(), 'collections', 'key', 'token');
  expect(lanes).toEqual(['renewals']);
});

/** A server that takes connections and says nothing. */
async function mute(): Promise<{ url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test.each([
  ['no connection', async () => 'http://127.0.0.1:1', /ECONNREFUSED/],
  ['no TLS', async () => (await scripted()).url.replace('http:', 'https:'), /SSL/],
])('%s: nothing was sent, and it is tried again', async (_name, urlOf, cause) => {
  const { post, call } = sender(await urlOf(), { width: 1 }, idempotentRetryPolicy);
  const context = call();
  const fault = await post(undefined, context).catch((thrown: unknown) => thrown);
  expect(fault).toBeInstanceOf(StoreNotReachedError);
  expect(fault).toMatchObject({ code: 'store_unavailable', details: { retryAfterSeconds: 5 } });
  const [line = ''] = context.lines;
  expect(line).toMatch(/^warn .*"outcome":"notSent".*"attempts":0,"otherAttempts":"notSent"/);
  expect(line).toMatch(cause);
});

test('a Store that takes the connection and says nothing for the whole time of the call was sent nothing', async () => {
  const { url } = await mute();
  const send = createStoreTransport({ clock: systemClock, random: () => 0 });
  const from = performance.now();
  const call = testCall({ deadline: Date.now() + 1500 });
  const request = { operation: 'op', url, body: {}, retry: idempotentRetryPolicy };
  await expect(send(call, request)).rejects.toBeInstanceOf(StoreNotReachedError);
  expect(performance.now() - from).toBeLessThan(2500);
});

test('a connection that is made after all is not used for a call that has ended', async () => {
  const server = await scripted();
  const { hostname, port } = new URL(server.url);
  let connected: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    connected = resolve;
  });
  const dispatcher = new Agent({
    connect: (_options, callback) => {
      setTimeout(() => {
        const socket = connect(Number(port), hostname, () => callback(null, socket));
        socket.once('close', connected);
      }, 1500);
    },
  });
  const send = createStoreTransport({ clock: systemClock, random: () => 0, dispatcher });
  const call = testCall({ deadline: Date.now() + 1200 });
  const request = { operation: 'op', url: server.url, body: {}, retry: once };
  await expect(send(call, request)).rejects.toBeInstanceOf(StoreNotReachedError);
  await closed;
  expect(server.received).toEqual([]);
});

test('what was sent before counts, if no connection can be made for the retry; and the other way round', async () => {
  const server = await scripted(json(500, {}), json(200, { fine: true }));
  const { hostname, port } = new URL(server.url);
  let connections = 0;
  const flaky = (refused: number) => {
    connections = 0;
    return new Agent({
      pipelining: 0,
      connect: (_options, callback) => {
        connections += 1;
        if (connections === refused) return void setImmediate(() => callback(new Error('refused'), null));
        const socket = connect(Number(port), hostname, () => callback(null, socket));
      },
    });
  };
  const first = sender(server.url, { dispatcher: flaky(2) }, idempotentRetryPolicy);
  expect((await first.post()).status).toBe(500);
  const second = sender(server.url, { dispatcher: flaky(1) }, idempotentRetryPolicy);
  expect((await second.post()).body).toEqual({ fine: true });
});
