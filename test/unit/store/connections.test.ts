import { connect } from 'node:net';
import { Agent } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { createConnections } from '../../../src/shared/store/connections.ts';
import { NothingSentError, StoreNoResponseError } from '../../../src/shared/store/response.ts';
import { idempotentRetryPolicy, type RetryPolicy } from '../../../src/shared/store/retry.ts';
import { createStoreTransport, type TransportOptions } from '../../../src/shared/store/transport.ts';
import { testCall, testClock } from '../../support/call.ts';
import { json, type Received, type Reply, scripted } from '../../support/httpServer.ts';

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

test('hosts have connections of their own', async () => {
  const connections = createConnections(new Agent(), 1);
  expect(await connections.take('https://a.example/x', 0)).toBe(true);
  expect(await connections.take('https://b.example/x', 0)).toBe(true);
  expect(await connections.take('https://a.example/y', 0)).toBe(false);
  connections.giveBack('https://a.example/y');
  expect(await connections.take('https://a.example/y', 0)).toBe(true);
});
