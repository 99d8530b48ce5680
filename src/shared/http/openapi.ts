import { contracts } from '../contract/index.ts';
import { problem } from '../contract/problemSchema.ts';
import { type ProblemCode, problemCodes } from '../contract/problems.ts';
import { type HttpContract, type Operation, routePrefix, tags } from '../contract/route.ts';
import { version } from '../lib/version.ts';
import { createSchemaBook, type Json, type SchemaBook, withDiscriminators } from './jsonSchema.ts';

let document: Json | undefined;

/**
 * OpenAPI 3.1 of all routes, also of those that this deployment does not have (http-api.md 2.12). It is made from the schemas that
 * validate requests.
 */
export function openApiDocument(): Json {
  document ??= build(contracts);
  return document;
}

function build(all: readonly HttpContract[]): Json {
  const schemas = createSchemaBook();
  const paths = Object.fromEntries(all.map((contract) => [`/${contract.route}`, pathItem(contract, schemas)]));
  const whole = {
    openapi: '3.1.0',
    info: {
      title: 'microsoft-store-functions',
      version,
      description: 'Query, consume and grant Microsoft Store purchases from a game backend.',
      contact: { name: 'The team that runs this deployment' },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: `/${routePrefix}` }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: schemas.components,
      securitySchemes: {
        functionKey: { type: 'apiKey', in: 'header', name: 'x-functions-key' },
        functionCode: { type: 'apiKey', in: 'query', name: 'code' },
      },
    },
  };
  return withDiscriminators(whole, schemas.components);
}

function pathItem(contract: HttpContract, schemas: SchemaBook): Json {
  const operations = contract.operations.map((operation) => {
    return [operation.method.toLowerCase(), operationObject(contract, operation, schemas)];
  });
  return Object.fromEntries(operations);
}

function operationObject(contract: HttpContract, operation: Operation, schemas: SchemaBook): Json {
  const verb = operation.method.toLowerCase();
  const { tag, summary, description, body, examples } = operation;
  const isAnonymous = contract.authLevel === 'anonymous';
  return {
    operationId: contract.operations.length === 1 ? contract.name : `${verb}${upperFirst(contract.name)}`,
    tags: [tag],
    summary,
    description,
    security: isAnonymous ? [] : [{ functionKey: [] }, { functionCode: [] }],
    parameters: [...parameters('path', operation, schemas), ...parameters('query', operation, schemas)],
    ...(body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: schemas.ofRequest(body), example: examples.body } },
      },
    }),
    responses: {
      ...answers(operation, schemas),
      ...(!isAnonymous && { 401: { description: 'No valid key. The host answers this itself, without a body.' } }),
      ...problems(operation, schemas),
    },
  };
}

function parameters(where: 'path' | 'query', operation: Operation, schemas: SchemaBook): Json[] {
  const declared = operation[where];
  if (declared === undefined) return [];
  const examples: Record<string, string | number> = operation.examples[where] ?? {};
  return schemas.ofParameters(declared).map(({ name, required, schema: { description, ...schema } }) => ({
    name,
    in: where,
    required,
    ...(description !== undefined && { description }),
    schema,
    ...(name in examples && { example: examples[name] }),
  }));
}

const correlation = {
  'x-correlation-id': { description: 'Of the request if it sent one, else new.', schema: { type: 'string' } },
};
const retryAfter = {
  'Retry-After': {
    description: 'Seconds to wait before asking again.',
    schema: { type: 'integer', format: 'int32', minimum: 0 },
  },
};
const location = {
  Location: { description: 'The path of the record.', schema: { type: 'string' } },
};

const meanings: Record<number, string> = {
  200: 'Success.',
  201: 'Done for the first time.',
  202: 'Not settled yet: what became of it is in the record at `Location`, and comes as an event.',
  204: 'Done. There is no body.',
  503: 'Failing.',
};

function answers({ answers: documented, examples }: Operation, schemas: SchemaBook): Json {
  return Object.fromEntries(
    Object.entries(documented).map(([status, schema]) => [
      status,
      {
        description: meanings[Number(status)],
        headers: status === '202' ? { ...correlation, ...location, ...retryAfter } : correlation,
        ...(schema && {
          content: {
            'application/json': { schema: schemas.ofAnswer(schema), example: examples.answers[Number(status)] },
          },
        }),
      },
    ]),
  );
}

/** Problems by status, but for a status that is documented as an answer. */
function problems(operation: Operation, schemas: SchemaBook): Json {
  const codes = new Map<number, ProblemCode[]>();
  const ofBodies: ProblemCode[] = operation.body ? ['length_required'] : [];
  const ofAll: ProblemCode[] = ['payload_too_large', 'internal', 'unavailable'];
  for (const code of new Set<ProblemCode>([...operation.problems, ...ofBodies, ...ofAll])) {
    const status = problemCodes[code][0];
    if (!(status in operation.answers)) codes.set(status, [...(codes.get(status) ?? []), code]);
  }
  const schema = schemas.ofAnswer(problem);
  return Object.fromEntries(
    [...codes].map(([status, known]) => [
      status,
      {
        description: known.map((code) => `\`${code}\`: ${problemCodes[code][1]}.`).join(' '),
        headers: isWait(status) ? { ...correlation, ...retryAfter } : correlation,
        content: { 'application/problem+json': { schema, example: problemExample(known[0] ?? 'internal') } },
      },
    ]),
  );
}

/** Whether a problem of this status says when to ask again. */
const isWait = (status: number): boolean => status === 429 || status === 503;

function problemExample(code: ProblemCode): Json {
  const [status, title] = problemCodes[code];
  return {
    type: `/problems/${code}`,
    title,
    status,
    detail: 'What the caller or the operator can do about it.',
    code,
    correlationId: '0f1d7c2e-8a0b-4c57-9a39-0c6f6b3d2a11',
    ...(code === 'invalid_request' && { errors: [{ path: '/body/userId', message: 'must have 1 to 256 characters' }] }),
    ...(isWait(status) && { retryAfterSeconds: 5 }),
  };
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
