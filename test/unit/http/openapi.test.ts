import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { getEvents } from '../../../src/shared/contract/events.ts';
import { contracts } from '../../../src/shared/contract/index.ts';
import { problemCodes } from '../../../src/shared/contract/problems.ts';
import type { Operation } from '../../../src/shared/contract/route.ts';
import { openApiDocument } from '../../../src/shared/http/openapi.ts';

interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  default?: unknown;
  const?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: unknown;
  items?: Schema;
  oneOf?: Schema[];
  discriminator?: { propertyName: string; mapping: Record<string, string> };
}
interface Media {
  schema: Schema;
  example: unknown;
}
interface Answer {
  description: string;
  headers?: Record<string, unknown>;
  content?: Record<string, Media>;
}
interface Described {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  security: unknown[];
  parameters: { name: string; in: string; required: boolean; schema: Schema; example: unknown }[];
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<string, Answer>;
}

const document = openApiDocument() as {
  openapi: string;
  info: { version: string; contact: { name: string } };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Schema> };
};
const { schemas } = document.components;
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'openapi', components: document.components });

function faults(schema: Schema | undefined, value: unknown): unknown {
  const text = JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components');
  return ajv.validate(JSON.parse(text), value) ? [] : ajv.errors;
}

const operations: [string, Operation, Described][] = contracts.flatMap(({ route, operations: all }) =>
  all.map((operation): [string, Operation, Described] => {
    const described = document.paths[`/${route}`]?.[operation.method.toLowerCase()];
    return [`${operation.method} /${route}`, operation, described ?? expect.fail(`no ${route}`)];
  }),
);
const described = (name: string): Described =>
  operations.find(([title]) => title === name)?.[2] ?? expect.fail(`no ${name}`);
const bodyOf = (name: string): Schema => described(name).requestBody?.content['application/json']?.schema ?? {};

/** Every part of a value that is an object, references of schemas followed. */
function* partsOf(value: unknown, seen = new Set<unknown>()): Generator<Schema & Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (!Array.isArray(value)) yield value as Schema & Record<string, unknown>;
  const { $ref } = value as Schema;
  if (typeof $ref === 'string') yield* partsOf(resolved($ref), seen);
  for (const inner of Object.values(value)) yield* partsOf(inner, seen);
}

const resolved = (reference = ''): Schema => schemas[reference.split('/').pop() ?? ''] ?? expect.fail(reference);

test('the document is OpenAPI 3.1 and has every route, with the security of each', async () => {
  const result = await new Validator().validate(structuredClone(document) as unknown as Record<string, unknown>);
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  expect(document.openapi).toBe('3.1.0');
  const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => `${method} ${path} ${security.length > 0}`),
  );
  const expected = contracts.flatMap(({ route, authLevel, operations: all }) =>
    all.map(({ method }) => `${method.toLowerCase()} /${route} ${authLevel === 'function'}`),
  );
  expect(listed.sort()).toEqual(expected.sort());
});

test('every reference has its schema, every schema is used, every operation has an id of its own', () => {
  const references = new Set([...partsOf(document.paths)].flatMap(({ $ref }) => $ref ?? []));
  expect([...references].sort()).toEqual(
    Object.keys(schemas)
      .map((name) => `#/components/schemas/${name}`)
      .sort(),
  );
  expect(new Set(operations.map(([, , { operationId }]) => operationId)).size).toBe(operations.length);
});

test('the version is that of the package', () => {
  expect(document.info.version).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
  expect(document.info.contact.name).not.toBe('');
});

describe.each(operations)('%s', (_title, operation, it) => {
  test('has a tag that is described, a summary and a description', () => {
    const known = document.tags.filter(({ description }) => description.length > 10).map(({ name }) => name);
    expect(known).toContain(it.tags[0]);
    expect(it.tags).toHaveLength(1);
    expect(it.summary.length).toBeGreaterThan(10);
    expect(it.description.length).toBeGreaterThan(it.summary.length);
  });

  test('its examples fit what is documented, and what validates', () => {
    const { path, query, body, examples } = operation;
    for (const { schema, example, name, required } of it.parameters) {
      if (required || example !== undefined) expect(faults(schema, example), name).toEqual([]);
    }
    for (const [schema, example] of [
      [path, examples.path],
      [query, texts(examples.query)],
      [body, examples.body],
    ] as const)
      expect(schema?.safeParse(example).error).toBeUndefined();
    const media = [it.requestBody, ...Object.values(it.responses)].flatMap((part) =>
      Object.values(part?.content ?? {}),
    );
    for (const { schema, example } of media) {
      expect(example).toBeDefined();
      expect(faults(schema, example)).toEqual([]);
    }
    for (const [status, schema] of Object.entries(operation.answers))
      expect(schema?.safeParse(examples.answers[Number(status)]).error).toBeUndefined();
    expect(JSON.stringify(examples)).not.toMatch(/eyJ/);
  });

  test('names the 401 of the host, which has no body and no correlation id, unless it needs no key', () => {
    const withoutHeaders = Object.entries(it.responses).filter(([, answer]) => !answer.headers?.['x-correlation-id']);
    expect(withoutHeaders.map(([status]) => status)).toEqual(it.security.length > 0 ? ['401'] : []);
    for (const [, answer] of withoutHeaders) expect(Object.keys(answer)).toEqual(['description']);
  });

  test('names each of its problems, and the headers that say when and where to ask again', () => {
    for (const code of operation.problems) {
      const answer = it.responses[problemCodes[code][0]];
      if (!(problemCodes[code][0] in operation.answers)) expect(answer?.description).toContain(`\`${code}\``);
    }
    for (const [status, { headers, content }] of Object.entries(it.responses)) {
      const waits =
        status === '202' || (['429', '503'].includes(status) && 'application/problem+json' in (content ?? {}));
      expect('Retry-After' in (headers ?? {}), status).toBe(waits);
      expect('Location' in (headers ?? {}), status).toBe(status === '202');
    }
  });
});

test('an overload is among the answers of every operation that counts its requests', () => {
  for (const { route, operations: all, ...contract } of contracts) {
    for (const { method } of all) {
      const { content, description = '' } = described(`${method} /${route}`).responses[503] ?? {};
      const isNamed = 'application/problem+json' in (content ?? {}) && description.includes('`unavailable`');
      expect(isNamed, route).toBe(!('takesNoPlace' in contract));
    }
  }
});

test('the cursor of a page is a text', () => {
  const cursor = described('GET /pending').parameters.find(({ name }) => name === 'cursor');
  expect(cursor).toMatchObject({ required: false, schema: { type: 'string', maxLength: 400 } });
});

/** Query parameters as they arrive. */
const texts = (query: Operation['examples']['query']) =>
  query && Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));

test('null is one of the types of a member, never a choice beside a reference', () => {
  const { endsAt, skuId, trial } = schemas.Entitlement?.properties ?? {};
  expect(endsAt).toMatchObject({ type: ['string', 'null'], format: 'date-time' });
  expect(skuId?.type).toEqual(['string', 'null']);
  expect(trial?.properties?.remainingSeconds?.type).toEqual(['integer', 'null']);
  for (const part of partsOf(document)) {
    expect(part).not.toHaveProperty('anyOf');
    expect(part.oneOf?.filter(({ type }) => type === 'null') ?? []).toEqual([]);
  }
});

test('whole numbers are integers, also in a query, where the text is still read strictly', () => {
  const types = [...partsOf(document)].flatMap(({ type }) => type ?? []);
  expect(types).not.toContain('number');
  expect(described('GET /events').parameters.map(({ name, required, schema }) => [name, required, schema])).toEqual([
    ['limit', false, { type: 'integer', format: 'int32', minimum: 1, maximum: 500, default: 100 }],
    ['wait', false, { type: 'integer', format: 'int32', minimum: 0, maximum: 20, default: 0 }],
  ]);
  for (const limit of ['1e2', '+5', '5.0', '0x5', ' 5', '', '0', '501', '-1'])
    expect(getEvents.query.safeParse({ limit }).success, limit).toBe(false);
  expect(getEvents.query.parse({ limit: '7' })).toEqual({ limit: 7, wait: 0 });
});

test('members of a request that have a default are optional, where generators look for it', () => {
  const { properties = {}, required } = bodyOf('POST /consumables/consume');
  expect(required).toEqual(['userId', 'productId', 'trackingId']);
  expect([properties.account?.default, properties.quantity?.default, properties.managedBy?.default]).toEqual([
    'default',
    1,
    'store',
  ]);
  expect(operations.filter(([, { body }]) => body).length).toBeGreaterThan(4);
  for (const [title, { body, examples }] of operations) {
    if (!body) continue;
    const schema = bodyOf(title);
    expect(schema, `${title}: a component would make them required in some clients`).not.toHaveProperty('$ref');
    const filledIn = body.parse(examples.body) as Record<string, unknown>;
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
      if (member.default === undefined) continue;
      expect(schema.required ?? [], title).not.toContain(name);
      if (!(name in (examples.body as object))) expect(filledIn[name], `${title} ${name}`).toEqual(member.default);
    }
  }
});

test('a product is a text or an object', () => {
  const { items } = bodyOf('POST /entitlements/query').properties?.products ?? {};
  expect(items?.oneOf?.map((choice) => choice.type ?? resolved(choice.$ref).type)).toEqual(['string', 'object']);
});

test('choices are told apart: events by type, records by state', () => {
  const unions = [...partsOf(document)].filter(({ oneOf }) => oneOf?.every(({ $ref }) => $ref));
  expect(unions.length).toBeGreaterThanOrEqual(5);
  for (const { oneOf = [], discriminator } of unions) {
    const { propertyName = '', mapping = {} } = discriminator ?? {};
    expect(Object.values(mapping)).toEqual(oneOf.map(({ $ref }) => $ref));
    for (const [value, reference] of Object.entries(mapping)) {
      expect(resolved(reference).properties?.[propertyName]?.const).toBe(value);
      expect(resolved(reference).required).toContain(propertyName);
    }
  }
  const events = schemas.EventFeed?.properties?.events?.items?.discriminator;
  expect(events?.propertyName).toBe('type');
  for (const [type, reference] of Object.entries(events?.mapping ?? {})) {
    const { data } = resolved(reference).properties ?? {};
    expect(resolved(data?.$ref).properties?.state?.const, type).toBe(type.split('.')[1]);
  }
  for (const record of ['ConsumeRecord', 'GrantRecord'])
    expect(Object.keys(schemas[record]?.discriminator?.mapping ?? {})).toEqual(['completed', 'pending', 'rejected']);
  expect(schemas.ConsumeRecord?.discriminator?.propertyName).toBe('state');
});

test('answers may gain members, requests may not', () => {
  for (const [title, , { responses, requestBody }] of operations) {
    const answered = [...partsOf(responses)].map(({ additionalProperties }) => additionalProperties);
    expect(answered, title).not.toContain(false);
    const sent = [...partsOf(requestBody?.content['application/json']?.schema)].filter(({ type }) => type === 'object');
    for (const { additionalProperties } of sent) expect(additionalProperties, title).toBe(false);
  }
});
