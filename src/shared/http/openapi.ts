import * as z from 'zod';
import { storeErrorInfo } from '../contract/consume.ts';
import { contracts } from '../contract/index.ts';
import { type ProblemCode, problemCodes } from '../contract/problems.ts';
import { type HttpContract, type Operation, routePrefix } from '../contract/route.ts';

type Json = Record<string, unknown>;

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.enum(Object.keys(problemCodes) as [ProblemCode, ...ProblemCode[]]),
    correlationId: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    retryAfterSeconds: z.number().int().optional(),
    store: storeErrorInfo.optional(),
  })
  .meta({ id: 'Problem' });

let document: Json | undefined;

/** OpenAPI 3.1 of all routes, also of those that this deployment does not have. It is made from the schemas that validate requests. */
export function openApiDocument(): Json {
  document ??= build(contracts);
  return document;
}

function build(all: readonly HttpContract[]): Json {
  const schemas: Json = {};
  const paths = Object.fromEntries(all.map((contract) => [`/${contract.route}`, pathItem(contract, schemas)]));
  return {
    openapi: '3.1.0',
    info: {
      title: 'microsoft-store-functions',
      version: '0.1.0',
      description: 'Query, consume and grant Microsoft Store purchases from a game backend.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: `/${routePrefix}` }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        functionKey: { type: 'apiKey', in: 'header', name: 'x-functions-key' },
        functionCode: { type: 'apiKey', in: 'query', name: 'code' },
      },
    },
  };
}

function pathItem(contract: HttpContract, schemas: Json): Json {
  const operations = contract.operations.map((operation) => {
    return [operation.method.toLowerCase(), operationObject(contract, operation, schemas)];
  });
  return Object.fromEntries(operations);
}

function operationObject(contract: HttpContract, operation: Operation, schemas: Json): Json {
  const verb = operation.method.toLowerCase();
  return {
    operationId: contract.operations.length === 1 ? contract.name : `${verb}${upperFirst(contract.name)}`,
    summary: operation.summary,
    security: contract.authLevel === 'anonymous' ? [] : [{ functionKey: [] }, { functionCode: [] }],
    parameters: [...parameters('path', operation.path, schemas), ...parameters('query', operation.query, schemas)],
    ...(operation.body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: jsonSchemaOf(operation.body, 'input', schemas) } },
      },
    }),
    responses: { ...answers(operation, schemas), ...problems(operation, schemas) },
  };
}

function parameters(where: 'path' | 'query', schema: z.ZodType | undefined, schemas: Json): Json[] {
  if (schema === undefined) return [];
  const object = jsonSchemaOf(schema, 'input', schemas) as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(object.properties ?? {}).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || (object.required ?? []).includes(name),
    schema: property,
  }));
}

const correlation = {
  'x-correlation-id': { schema: { type: 'string' }, description: 'Of the request if it sent one, else new.' },
};

function answers(operation: Operation, schemas: Json): Json {
  return Object.fromEntries(
    Object.entries(operation.answers).map(([status, schema]) => [
      status,
      {
        description: Number(status) < 300 ? 'Success' : 'Failing',
        headers: correlation,
        ...(schema && { content: { 'application/json': { schema: jsonSchemaOf(schema, 'output', schemas) } } }),
      },
    ]),
  );
}

/** Problems by status, but for a status that is documented as an answer. */
function problems(operation: Operation, schemas: Json): Json {
  const codes = new Map<number, ProblemCode[]>();
  for (const code of new Set<ProblemCode>([...operation.problems, 'payload_too_large', 'internal'])) {
    const status = problemCodes[code][0];
    if (!(status in operation.answers)) codes.set(status, [...(codes.get(status) ?? []), code]);
  }
  const schema = jsonSchemaOf(problem, 'output', schemas);
  return Object.fromEntries(
    [...codes].map(([status, known]) => [
      status,
      { description: known.join(', '), headers: correlation, content: { 'application/problem+json': { schema } } },
    ]),
  );
}

/** A schema as JSON Schema. Its named parts are added to the components, and it refers to them. */
function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const {
    $schema: _,
    $defs = {},
    id,
    ...own
  } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json & {
    $defs?: Record<string, Json>;
    id?: string;
  };
  for (const [name, part] of Object.entries($defs)) {
    const { id: _id, ...rest } = part;
    schemas[name] = withComponentReferences(rest);
  }
  if (typeof id !== 'string') return withComponentReferences(own);
  schemas[id] = withComponentReferences(own);
  return { $ref: `#/components/schemas/${id}` };
}

/** References to `$defs` point to the components instead. */
function withComponentReferences(value: Json): Json {
  return JSON.parse(JSON.stringify(value).replaceAll('"#/$defs/', '"#/components/schemas/'));
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
