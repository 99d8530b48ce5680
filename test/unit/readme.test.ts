import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, test } from 'vitest';
import { pasteRequests } from '../../local/pasteRequests.ts';
import { openApiDocument } from '../../src/shared/http/openapi.ts';

type Json = Record<string, unknown>;
interface Operation {
  requestBody?: { content: Record<string, { schema: Json }> };
  responses: Record<string, { content?: Record<string, { schema: Json }> }>;
}

const readme = readFileSync('README.md', 'utf8');
const document = openApiDocument() as { paths: Record<string, Record<string, Operation>>; components: Json };
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'openapi', components: document.components });

/** What is wrong with a value by a schema of the document. */
function faults(schema: Json | undefined, value: unknown): unknown[] {
  if (!schema) return ['there is no schema'];
  const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components')));
  return validate(value) ? [] : (validate.errors ?? []);
}

function operationFor(method: string, path: string): Operation {
  for (const [template, operations] of Object.entries(document.paths)) {
    const pattern = new RegExp(`^/api${template.replace(/\{\w+\}/g, '[^/]+')}$`);
    const operation = operations[method.toLowerCase()];
    if (pattern.test(path.split('?', 1)[0] ?? '') && operation) return operation;
  }
  throw new Error(`The document has no ${method} ${path}.`);
}

const bodySchema = (operation: Operation): Json | undefined =>
  operation.requestBody?.content['application/json']?.schema;
const examples = [...readme.matchAll(/```http\n(\w+) (\S+)\n+([^`]*)```\n+```json\n([^`]*)```/g)];
const problems = [...readme.matchAll(/```json\n([^`]*"code"[^`]*)```/g)];
const urls = { functionsUrl: 'http://localhost:7071', storeUrl: 'https://localhost:7074' };
const curls = [...readme.matchAll(/^curl -sS( -X \w+)? http:\/\/localhost:7071(\S+)(.*)$/gm)];

test('the README has what these tests look for', () => {
  expect([examples.length, problems.length, curls.length]).toEqual([6, 1, 3]);
});

test.each(
  examples.map(([, method = '', path = '', body = '', answer = '']) => [method, path, body, answer]),
)('%s %s of the README', (method, path, body, answer) => {
  const operation = operationFor(method, path);
  if (body.trim() !== '') expect(faults(bodySchema(operation), JSON.parse(body))).toEqual([]);
  expect(faults(operation.responses[200]?.content?.['application/json']?.schema, JSON.parse(answer))).toEqual([]);
});

test('the problem of the README', () => {
  expect(faults({ $ref: '#/components/schemas/Problem' }, JSON.parse(problems[0]?.[1] ?? ''))).toEqual([]);
});

test.each(['bash', 'powershell'] as const)('the README has the requests that npm start prints, for %s', (shell) => {
  expect(readme).toContain(`\n${pasteRequests(urls, shell)}\`\`\``);
});

test('PowerShell sends what curl sends', () => {
  const bodies = (text: string) => [...text.matchAll(/'(\{[^']*\})'/g)].map(([, body]) => body);
  const targets = (text: string) => [...text.matchAll(/https?:\/\/\S+/g)].map(([url]) => url);
  const [bash, powershell] = [pasteRequests(urls, 'bash'), pasteRequests(urls, 'powershell')];
  expect(bodies(powershell)).toEqual(bodies(bash));
  expect(targets(powershell)).toEqual(targets(bash));
});

test('local.settings.sample.json is for a sandbox, and the README explains its settings', () => {
  const { Values } = JSON.parse(readFileSync('local.settings.sample.json', 'utf8'));
  expect(Values.STORE_SANDBOX).toMatch(/^(?!retail$)[\w.-]+$/i);
  for (const name of Object.keys(Values).filter((one) => /^(ENTRA|AZURE|KEY|STORE)_/.test(one)))
    expect(readme).toContain(`\`${name}\``);
});

test.each(
  curls.map(([, method, path = '', rest = '']) => [method?.slice(4) ?? 'POST', path, rest]),
)('curl %s %s of the README', (method, path, rest) => {
  const operation = operationFor(method, path);
  const body = /-d '([^']*)'/.exec(rest)?.[1];
  if (body === undefined) expect(rest).toContain('-d "$KEYS"');
  else expect(faults(bodySchema(operation), JSON.parse(body))).toEqual([]);
});

test('a wrong example would be found', () => {
  const schema = bodySchema(operationFor('POST', '/api/entitlements/query'));
  expect(faults(schema, { userId: 'u', products: [] })).not.toEqual([]);
  expect(faults(schema, { userId: 'u', products: ['A'], surplus: 1 })).not.toEqual([]);
});
