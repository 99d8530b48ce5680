import { HttpRequest } from '@azure/functions';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { consumeContract, postConsume } from '../../../src/shared/contract/consume.ts';
import { getEvents, postEventsAck } from '../../../src/shared/contract/events.ts';
import { contracts } from '../../../src/shared/contract/index.ts';
import { getHealth } from '../../../src/shared/contract/operations.ts';
import { cursorOf, getPending } from '../../../src/shared/contract/pending.ts';
import { Problem } from '../../../src/shared/contract/problems.ts';
import type { Operation } from '../../../src/shared/contract/route.ts';
import { getStoreIds } from '../../../src/shared/contract/storeIds.ts';
import { parseRequest } from '../../../src/shared/http/input.ts';

interface Sent {
  path?: string;
  /** As the host maps it. */
  query?: Record<string, string>;
  params?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string;
}

const requestOf = (method: string, { path = '/api/x', query = {}, params = {}, headers = {}, body }: Sent) =>
  new HttpRequest({
    method,
    url: `http://localhost${path}`,
    query,
    params,
    headers,
    ...(body && { body: { string: body } }),
  });

const parse = (operation: Operation, sent: Sent) => parseRequest(operation, requestOf(operation.method, sent));

const refused = async (operation: Operation, sent: Sent): Promise<Problem> => {
  const fault = await parse(operation, sent).catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(Problem);
  return fault as Problem;
};

const pathsOf = ({ details }: Problem) => details.errors?.map(({ path }) => path);

test.each([
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'x',
])('?%s is an unknown parameter', async (name) => {
  for (const operation of [getHealth, getEvents]) {
    for (const search of [`${name}=1`, `${name}`, `${name}=1&${name}=2`]) {
      // The programming model drops __proto__.
      const problem = await refused(operation, { path: `/api/x?${search}`, query: {} });
      expect([problem.code, pathsOf(problem)?.[0]]).toEqual(['invalid_request', `/query/${name}`]);
    }
  }
});

test('the URL decides, not what the host maps: parameters whose names differ by case are two', async () => {
  expect(pathsOf(await refused(getEvents, { path: '/api/x?limit=1&LIMIT=2', query: { limit: '1,2' } }))).toEqual([
    '/query/LIMIT',
  ]);
  expect(pathsOf(await refused(getEvents, { path: '/api/x?limit=1&limit=1', query: { limit: '1,1' } }))).toEqual([
    '/query/limit',
  ]);
  expect(await parse(getEvents, { path: '/api/x?limit=7&code=k&Code=k', query: {} })).toMatchObject({
    query: { limit: 7, wait: 0 },
  });
});

test('the query begins after each question mark of the path', async () => {
  const path = '/api/users/a?x=1?b/store-ids';
  const params = { userId: 'a?x=1?b' };
  expect(await parse(getStoreIds, { path, params })).toMatchObject({ path: { userId: 'a?x=1?b' }, query: {} });
  expect(await parse(getStoreIds, { path: `${path}?code=k`, params })).toMatchObject({ query: {} });
  expect(pathsOf(await refused(getStoreIds, { path: `${path}?y=2?`, params }))).toEqual(['/query/y']);
});

/** The processor time of some repetitions, in ms: on a busy machine it varies less than the time on the clock. */
async function processorTime(work: () => Promise<unknown>): Promise<number> {
  const from = process.cpuUsage();
  for (let repeat = 0; repeat < 10; repeat += 1) await work();
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1000;
}

test.each([
  ['question marks after parameters that differ by case', (length: number) => `a=1&A=2&${'?'.repeat(length)}`],
  ['__proto__ and question marks', (length: number) => `a=1&__proto__=1&${'?'.repeat(length)}`],
  ['many parameters', (length: number) => 'a&'.repeat(length / 2)],
  ['many names', (length: number) => Array.from({ length: length / 4 }, (_, index) => index.toString(36)).join('&')],
])('8 KB of a query take about 8 times as long as 1 KB: %s', async (_name, search) => {
  const sent = (length: number): Sent => ({ path: `/api/health?${search(length)}`, query: { a: '1,2' } });
  const [small, large] = [sent(1024), sent(8192)];
  const from = performance.now();
  await refused(getHealth, large);
  // Not repeated if it takes seconds.
  expect(performance.now() - from).toBeLessThan(5000);
  let [smallMs, largeMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  // What tries each question mark takes 64 times as long, and more.
  const isInProportion = () => largeMs < Math.max(smallMs * 32, 30);
  for (let run = 0; run < 4 || (run < 40 && !isInProportion()); run += 1) {
    smallMs = Math.min(smallMs, await processorTime(() => refused(getHealth, small)));
    largeMs = Math.min(largeMs, await processorTime(() => refused(getHealth, large)));
  }
  expect(isInProportion(), `${largeMs} ms, and ${smallMs} ms for 1 KB`).toBe(true);
});

test('members named __proto__ and the like are unknown, at any depth', async () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const ids = `"userId":"u","trackingId":"6c1ad9b0-4b5f-4e64-8f0f-0b6f5d0f3b11","productId":"P"`;
    const top = await refused(postConsume, { body: `{${ids},"${name}":{"quantity":2}}` });
    expect(pathsOf(top)).toEqual([`/body/${name}`]);
    const nested = await refused(postConsume, { body: `{${ids},"xToken":{"userHash":"h","token":"t","${name}":1}}` });
    expect(pathsOf(nested)).toEqual([`/body/xToken/${name}`]);
  }
});

test('the log has the names of the schema, and never what the caller chose', async () => {
  const body = JSON.stringify({
    userId: 'u',
    quantity: 'many',
    'eyJhbGciOiJub25lIn0.e30.': 1,
    xToken: { 'secret/1': 1 },
  });
  const { wrongFields = [] } = (await refused(postConsume, { body })).details;
  expect(wrongFields.sort()).toEqual([
    '/body/(unknown)',
    '/body/productId',
    '/body/quantity',
    '/body/trackingId',
    '/body/xToken/(unknown)',
    '/body/xToken/token',
    '/body/xToken/userHash',
  ]);
  expect((await refused(getHealth, { path: '/api/health?secret=1' })).details.wrongFields).toEqual([
    '/query/(unknown)',
  ]);
  const repeated = { path: '/api/events?limit=1&limit=2&secret=1&secret=2' };
  expect((await refused(getEvents, repeated)).details.wrongFields).toEqual(['/query/limit']);
  expect((await refused(getEvents, { path: '/api/events?secret=1' })).details.wrongFields).toEqual([
    '/query/(unknown)',
  ]);
});

test('no schema of a request takes names that the caller chooses, so paths of issues are names of the schema', () => {
  for (const { operations } of contracts) {
    for (const operation of operations as readonly Operation[]) {
      for (const schema of [operation.path, operation.query, operation.body]) {
        if (!schema) continue;
        const text = JSON.stringify(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
        expect(text).not.toMatch(/"additionalProperties":(?!false)|"patternProperties"|"propertyNames"/);
      }
    }
  }
});

test('every list of a request has a limit: a body of surplus entries is refused without looking at each', () => {
  let count = 0;
  const check = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('type' in value && value.type === 'array') {
      count += 1;
      expect(value).toHaveProperty('maxItems');
    }
    Object.values(value).forEach(check);
  };
  for (const { operations } of contracts) {
    for (const { body } of operations as readonly Operation[])
      if (body) check(z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' }));
  }
  expect(count).toBeGreaterThan(3);
});

test('messages are those of this API, not of the schema library', async () => {
  const { details } = await refused(postConsume, { body: '{"userId":5,"quantity":0.5}' });
  expect(details.errors).toEqual([
    { path: '/body/userId', message: 'must be text' },
    { path: '/body/productId', message: 'is missing' },
    { path: '/body/trackingId', message: 'is missing' },
    { path: '/body/quantity', message: 'must be a whole number' },
  ]);
});

test('a chunked request without its body is refused if the operation takes one; the text names the remedy', async () => {
  const headers = { 'transfer-encoding': 'chunked', 'content-type': 'application/json' };
  const problem = await refused(postEventsAck, { headers });
  expect([problem.code, problem.status]).toEqual(['length_required', 411]);
  for (const remedy of ['Content-Length', 'StringContent', 'LoadIntoBufferAsync'])
    expect(problem.message).toContain(remedy);
  expect((await refused(postEventsAck, {})).code).toBe('invalid_request');
  expect((await refused(postEventsAck, { headers: { 'content-length': '262145' } })).code).toBe('payload_too_large');
  // A body that is there all the same is taken.
  expect(await parse(postEventsAck, { headers, body: '{"ids":["a"]}' })).toMatchObject({ body: { ids: ['a'] } });
  const [, , deletion] = contracts[0]?.operations as readonly Operation[];
  expect(await parse(deletion as Operation, { headers, params: { userId: 'u' } })).toMatchObject({ body: {} });
});

test('every operation that takes a body documents 411 and 413', () => {
  expect(contracts).toContain(consumeContract);
  for (const { name, operations } of contracts) {
    for (const { body, problems } of operations as readonly Operation[]) {
      if (body) expect(problems, name).toEqual(expect.arrayContaining(['length_required', 'payload_too_large']));
    }
  }
});

test('a cursor is parsed here, and a wrong one is refused as any other member', async () => {
  const position = { kind: 'grant', shard: 7, key: 'due.attempt.001795415700000.ab12.cd-34' } as const;
  const { query } = await parse(getPending, { path: `/api/pending?cursor=${cursorOf(position)}` });
  expect(query).toEqual({ limit: 50, cursor: position });
  const other = await refused(getEvents, { path: '/api/x?limit=x' });
  for (const text of ['x', Buffer.from('consume.1.due.event.1').toString('base64url')]) {
    const problem = await refused(getPending, { path: `/api/pending?cursor=${text}` });
    expect(problem).toMatchObject({
      code: 'invalid_request',
      message: other.message,
      details: {
        errors: [{ path: '/query/cursor', message: 'is not a cursor of this list' }],
        wrongFields: ['/query/cursor'],
      },
    });
  }
});
