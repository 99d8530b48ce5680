/** Random requests to every operation of some methods: all are answered, and none with 5xx. */
import fc from 'fast-check';
import { Pool } from 'undici';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { contracts } from '../../src/shared/contract/index.ts';
import type { Method } from '../../src/shared/contract/route.ts';
import { anyText } from '../support/anyText.ts';
import { randomRequests as runs } from '../support/thorough.ts';
import { stack } from './harness.ts';

const atOnce = 100;
const member = fc.constantFrom(
  'userId',
  'collectionsId',
  'purchaseId',
  'xToken',
  'account',
  'products',
  'validity',
  'tiers',
  'api',
  'v8',
  'sandbox',
  'productId',
  'trackingId',
  'orderId',
  'skuId',
  'quantity',
  'managedBy',
  'ids',
);
const plausible = fc.dictionary(
  member,
  fc.oneof(
    anyText(),
    fc.constantFrom<unknown>('u', '*', 'default', 'v8', 'All', ['A'], ['PC'], {}, null, 1, true),
    fc.array(fc.jsonValue(), { maxLength: 3 }),
  ),
  { maxKeys: 5 },
);
const anyBody = fc.oneof(
  { weight: 3, arbitrary: plausible.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  // Routes without a body get past their schema with it.
  { weight: 1, arbitrary: fc.constant('') },
);
const headerText = fc
  .stringMatching(/^[\x20-\x7e\x80-\xff]{0,150}$/)
  .map((text) => text.trim())
  // What is UTF-8 of more than Latin-1 is answered 500 before a function has it.
  .filter((text) => !/[\xc4-\xf4][\x80-\xbf]/.test(text));
const anyHeaders = fc.dictionary(
  fc.constantFrom(
    'x-correlation-id',
    'content-type',
    'accept',
    'x-forwarded-for',
    'x-ms-client-principal',
    'traceparent',
  ),
  headerText,
  {
    maxKeys: 3,
  },
);
const pathPart = anyText({ minLength: 1, maxLength: 12 })
  .map((text) => encodeURIComponent(text.toWellFormed()))
  .filter((text) => !/^\.{1,2}$/.test(text));

/** Half of them are ids, so that routes with an id get past their schema. */
const idPart = fc.oneof(fc.uuid(), pathPart);
const anyQuery = fc.oneof(
  { weight: 1, arbitrary: fc.constant('') },
  {
    weight: 5,
    arbitrary: fc
      .array(
        fc.tuple(
          fc.constantFrom('limit', 'wait', 'x', ''),
          fc.oneof(fc.constantFrom('1', '0', '500', '501', '-1', '1e2', ' 1'), anyText({ maxLength: 6 })),
        ),
        { minLength: 1, maxLength: 3 },
      )
      // A valid wait would make the test wait.
      .map((pairs) => pairs.filter(([name, value]) => name !== 'wait' || !/^\d*[1-9]\d*$/.test(value)))
      .map((pairs) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join('&')),
  },
);

/** All routes get the same requests: creating them takes as long as sending them. */
export function sendRandomRequests(methods: Method[]): void {
  const operations = contracts.flatMap(({ route, operations: all }) =>
    all.filter(({ method }) => methods.includes(method)).map(({ method }) => [method, route] as const),
  );
  let samples: { body: string | Buffer; headers: Record<string, string>; user: string; id: string; search: string }[];
  beforeAll(() => {
    samples = fc.sample(
      fc.record({ body: anyBody, headers: anyHeaders, user: pathPart, id: idPart, search: anyQuery }),
      runs,
    );
  });

  test.each(operations)(`${runs} random requests: %s %s`, async (method, route) => {
    const pool = new Pool(stack.functionsUrl, { connections: 8, pipelining: 12, headersTimeout: 60_000 });
    onTestFinished(() => pool.close());
    const key = stack.identities.functionKey;
    const counts = new Map<number, number>();
    let next = 0;
    const worker = async () => {
      for (let sample = samples[next++]; sample; sample = samples[next++]) {
        const { body, headers, user, id, search } = sample;
        const path = route.replace('{userId}', user).replace(/\{\w+\}/, id);
        const answer = await pool.request({
          method,
          path: `/api/${path}${search === '' ? '' : `?${search}`}`,
          headers: { ...headers, 'x-functions-key': key },
          ...(method !== 'GET' && { body }),
        });
        const text = await answer.body.text();
        counts.set(answer.statusCode, (counts.get(answer.statusCode) ?? 0) + 1);
        if (
          answer.statusCode === 500 ||
          (answer.statusCode >= 400 && text !== '' && typeof JSON.parse(text).code !== 'string')
        ) {
          expect.fail(`${answer.statusCode} ${text} for ${JSON.stringify(sample)}`);
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(runs);
    expect([...counts.keys()].filter((status) => status >= 500)).toEqual([]);
    // Some get past the schema. A body does so rarely.
    if (method !== 'POST' && method !== 'PUT')
      expect(counts.get(200) ?? counts.get(204) ?? counts.get(404)).toBeGreaterThan(runs / 250);
  });
}
