import { expect, test } from 'vitest';
import * as z from 'zod';
import { createSchemaBook, withDiscriminators } from '../../../src/shared/http/jsonSchema.ts';

const named = z.object({ a: z.string() }).meta({ id: 'Named' });

test('null joins the types of a text, a number and an enumeration', () => {
  const schema = z.object({ text: z.string().nullable(), number: z.int32().nullable(), one: z.enum(['a']).nullable() });
  expect(createSchemaBook().ofAnswer(schema)).toEqual({
    type: 'object',
    properties: {
      text: { type: ['string', 'null'] },
      number: { type: ['integer', 'null'], format: 'int32' },
      one: { type: ['string', 'null'], enum: ['a', null] },
    },
    required: ['text', 'number', 'one'],
  });
});

test('what has no form that generators understand is refused', () => {
  const book = createSchemaBook();
  expect(() => book.ofAnswer(z.object({ a: named.nullable() }))).toThrow('null beside a reference');
  expect(() => book.ofAnswer(z.union([z.string(), z.string().max(3)]))).toThrow('of different types');
  book.ofAnswer(named);
  expect(() => book.ofAnswer(z.object({ other: z.int() }).meta({ id: 'Named' }))).toThrow(
    'Two schemas have the id Named',
  );
});

test('a union of components that no constant tells apart is refused', () => {
  const book = createSchemaBook();
  const other = z.object({ b: z.literal('b') }).meta({ id: 'Other' });
  book.ofAnswer(z.object({ named, other }));
  const references = [{ $ref: '#/components/schemas/Named' }, { $ref: '#/components/schemas/Other' }];
  expect(() => withDiscriminators({ oneOf: references }, book.components)).toThrow('No member tells');
});

test('the format of an integer is the smaller one that holds its bounds', () => {
  const integers = z.object({ any: z.int(), small: z.int().min(1).max(9), long: z.int().min(0) });
  expect(createSchemaBook().ofAnswer(integers).properties).toEqual({
    any: { type: 'integer', format: 'int64' },
    small: { type: 'integer', format: 'int32', minimum: 1, maximum: 9 },
    long: { type: 'integer', format: 'int64', minimum: 0 },
  });
});
