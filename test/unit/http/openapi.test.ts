import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { contracts } from '../../../src/shared/contract/index.ts';
import { openApiDocument } from '../../../src/shared/http/openapi.ts';

test('the document is OpenAPI 3.1 and has every route, with the security of each', async () => {
  const document = openApiDocument() as {
    openapi: string;
    paths: Record<string, Record<string, { security: unknown[] }>>;
  };
  const result = await new Validator().validate(structuredClone(document));
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  expect(document.openapi).toBe('3.1.0');
  const listed = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { security }]) => `${method} ${path} ${security.length > 0}`),
  );
  const expected = contracts.flatMap(({ route, authLevel, operations }) =>
    operations.map(({ method }) => `${method.toLowerCase()} /${route} ${authLevel === 'function'}`),
  );
  expect(listed.sort()).toEqual(expected.sort());
});

test('every reference of the document has its schema', () => {
  const document = openApiDocument() as { components: { schemas: object } };
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
  expect(references.length).toBeGreaterThan(10);
  for (const reference of references) {
    expect(Object.keys(document.components.schemas)).toContain(reference.replace('#/components/schemas/', ''));
  }
});
