import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { contracts } from '../../../src/shared/contract/index.ts';
import type { Operation } from '../../../src/shared/contract/route.ts';
import { plainMessage } from '../../../src/shared/http/messages.ts';

const messagesOf = (schema: z.ZodType, value: unknown): string[] =>
  schema.safeParse(value, { error: plainMessage }).error?.issues.map(({ message }) => message) ?? [];

test.each([
  ['is missing', z.string(), undefined],
  ['is missing', z.enum(['A', 'B']), undefined],
  ['is missing', z.union([z.string(), z.number()]), undefined],
  ['must be text', z.string(), 1],
  ['must be true or false', z.boolean(), 'x'],
  ['must be a list', z.array(z.string()), {}],
  ['must be an object', z.strictObject({}), null],
  ['must be a whole number', z.number().int(), 1.5],
  ['must be at least 1', z.number().min(1), 0],
  ['must be at most 500', z.number().max(500), 501],
  ['must not be empty', z.string().min(1), ''],
  ['must have at most 3 characters', z.string().max(3), 'abcd'],
  ['must not be empty', z.array(z.string()).min(1), []],
  ['must have at most 1 entry', z.array(z.string()).max(1), ['a', 'b']],
  ['must have at most 2 entries', z.array(z.string()).max(2), ['a', 'b', 'c']],
  ['must be one of A, B', z.enum(['A', 'B']), 'C'],
  ['must be *', z.literal('*'), 'C'],
  ['must be a number, or must be *', z.union([z.number(), z.literal('*')]), true],
  ['does not have the form that is asked for', z.string().regex(/^a$/), 'b'],
  ['must be a', z.string().regex(/^a$/, 'must be a'), 'b'],
] as const)('%s (%#)', (message, schema, value) => {
  expect(messagesOf(schema, value)).toEqual([message]);
});

const parts = contracts.flatMap(({ name, operations }) =>
  (operations as readonly Operation[]).flatMap((operation) =>
    (['path', 'query', 'body'] as const).flatMap((part) => {
      const schema = operation[part];
      return schema ? [[`${operation.method} ${name} ${part}`, schema] as const] : [];
    }),
  ),
);

const plain = /^(is |must |give |goes with |has none )/;
const ofZod = /^(Invalid|Too |Unrecognized)|expected|received|zod/i;
const oddValues = [
  undefined,
  null,
  true,
  0,
  1,
  -1,
  1.5,
  1e9,
  1e20,
  '',
  ' ',
  '1',
  '-1',
  '99999',
  'x'.repeat(20_000),
  '\u0000',
];
const anyValue = fc.oneof(
  fc.constantFrom(...oddValues),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom([], {}, [{}], [1]),
);

test.each(parts)('%s: messages are plain words, and not those of the schema library', (_name, schema) => {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const members = fc.record(
    Object.fromEntries(
      Object.keys(properties).map((name) => [name, fc.oneof(anyValue, fc.record({ token: anyValue }))]),
    ),
    { requiredKeys: [] },
  );
  let count = 0;
  const check = (value: unknown): void => {
    const issues = schema.safeParse(value, { error: plainMessage }).error?.issues ?? [];
    for (const { code, message } of issues) {
      if (code === 'unrecognized_keys') continue;
      count += 1;
      expect(message).toMatch(plain);
      expect(message).not.toMatch(ofZod);
    }
  };
  fc.assert(fc.property(fc.oneof(members, anyValue), check), { numRuns: 300 });
  for (const name of Object.keys(properties)) {
    for (const value of [...oddValues, [], {}, [1], ['', ...Array(1001).fill('a')]]) check({ [name]: value });
  }
  expect(count).toBeGreaterThan(10);
});
