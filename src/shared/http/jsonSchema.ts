import * as z from 'zod';

export type Json = Record<string, unknown>;

/** The schemas of one document. Those with an id become its components; all others stay where they are used. */
export interface SchemaBook {
  components: Record<string, Json>;
  /** The body of a request. It is no component: openapi-typescript calls members with a default required wherever it sees no request. */
  ofRequest(schema: z.ZodType): Json;
  /** The body of an answer, as a reference if it has an id. It allows further members. */
  ofAnswer(schema: z.ZodType): Json;
  /** Each member of an object of parameters: what its text is parsed to, and whether it must be there. */
  ofParameters(schema: z.ZodType): { name: string; required: boolean; schema: Json }[];
}

const prefix = '#/components/schemas/';
const greatest = { int32: 2 ** 31 - 1, safe: Number.MAX_SAFE_INTEGER };

/**
 * JSON Schemas made from the schemas that validate, in forms that client generators understand (http-api.md 2.12).
 * @throws Error for two schemas with one id, and for what has no such form
 */
export function createSchemaBook(): SchemaBook {
  const components: Record<string, Json> = {};

  function add(name: string, schema: Json): void {
    const known = components[name];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
      throw new Error(`Two schemas have the id ${name}.`);
    }
    components[name] = schema;
  }

  return {
    components,
    ofRequest(schema) {
      const { id, own, parts } = convert(schema, 'input');
      for (const [name, part] of parts) add(name, part);
      return { ...(id !== undefined && { title: id }), ...own };
    },
    ofAnswer(schema) {
      const { id, own, parts } = convert(schema, 'output');
      for (const [name, part] of parts) add(name, part);
      if (id === undefined) return own;
      add(id, own);
      return { $ref: prefix + id };
    },
    ofParameters(schema) {
      const { required = [] } = convert(schema, 'input').own as { required?: string[] };
      const { own, parts } = convert(schema, 'output');
      for (const [name, part] of parts) add(name, part);
      const { properties = {} } = own as { properties?: Record<string, Json> };
      return Object.entries(properties).map(([name, property]) => ({
        name,
        required: required.includes(name),
        schema: property,
      }));
    },
  };
}

interface Converted {
  id: string | undefined;
  own: Json;
  /** The parts with an id, by id. */
  parts: [string, Json][];
}

function convert(schema: z.ZodType, io: 'input' | 'output'): Converted {
  const { $schema: _, $defs = {}, id, ...root } = toJson(schema, io);
  const parts = Object.entries($defs as Record<string, Json>).map(([name, { id: _id, ...part }]): [string, Json] => [
    name,
    readable(part),
  ]);
  const own = readable(root);
  const name = typeof own.$ref === 'string' ? own.$ref.slice(prefix.length) : (id as string | undefined);
  return {
    id: name,
    own: parts.find(([part]) => part === name)?.[1] ?? own,
    parts: parts.filter(([part]) => part !== name),
  };
}

function toJson(schema: z.ZodType, io: 'input' | 'output'): Json {
  return z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override({ jsonSchema }) {
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      delete jsonSchema.propertyNames;
      // The format says it.
      if (jsonSchema.format === 'date-time' || jsonSchema.format === 'uuid') delete jsonSchema.pattern;
      if (jsonSchema.type === 'integer') setIntegerFormat(jsonSchema);
    },
  }) as Json;
}

/** The format of an integer by its bounds; bounds that only say the format go. */
function setIntegerFormat(schema: z.core.JSONSchema.BaseSchema): void {
  const { minimum = -greatest.safe, maximum = greatest.safe } = schema;
  schema.format = -minimum <= greatest.int32 + 1 && maximum <= greatest.int32 ? 'int32' : 'int64';
  if ([greatest.int32 + 1, greatest.safe].includes(-minimum)) delete schema.minimum;
  if ([greatest.int32, greatest.safe].includes(maximum)) delete schema.maximum;
}

/** A schema with references to components, without `anyOf`. */
function readable(schema: Json): Json {
  const text = JSON.stringify(schema).replaceAll('"#/$defs/', `"${prefix}`);
  return JSON.parse(text, (_key, part) => (Array.isArray(part?.anyOf) ? withoutAnyOf(part) : part));
}

/** `null` becomes one of the types; other choices exclude each other by their types. */
function withoutAnyOf({ anyOf, ...rest }: Json & { anyOf: Json[] }): Json {
  const types = anyOf.map((choice) => ('$ref' in choice ? 'object' : choice.type));
  if (types.some((type) => typeof type !== 'string') || new Set(types).size < types.length) {
    throw new Error(
      'The choices of a union must be of different types, or told apart by a constant (discriminatedUnion).',
    );
  }
  const others = anyOf.filter((choice) => choice.type !== 'null');
  if (others.length === anyOf.length) return { ...rest, oneOf: anyOf };
  const [schema = {}] = others;
  if (others.length > 1 || '$ref' in schema) {
    throw new Error(
      'What may be null must have one type, and no id: generators do not understand null beside a reference.',
    );
  }
  return {
    ...schema,
    type: [schema.type, 'null'],
    ...(Array.isArray(schema.enum) && { enum: [...schema.enum, null] }),
    ...rest,
  };
}

/** Tells the choices of each union of components apart by the member that is a constant of its own in each of them. */
export function withDiscriminators(document: Json, components: Record<string, Json>): Json {
  return JSON.parse(JSON.stringify(document), (_key, part) => {
    const references = (part?.oneOf as { $ref?: string }[] | undefined)?.map(({ $ref }) => $ref);
    if (!references?.every((reference) => reference !== undefined)) return part;
    const choices = references.map((reference) => constantsOf(components[reference.slice(prefix.length)]));
    const propertyName = Object.keys(choices[0] ?? {}).find((name) => isTold(choices.map((choice) => choice[name])));
    if (propertyName === undefined) throw new Error(`No member tells ${references.join(' and ')} apart.`);
    const mapping = Object.fromEntries(choices.map((choice, at) => [choice[propertyName], references[at]]));
    return { ...part, discriminator: { propertyName, mapping } };
  });
}

const isTold = (values: unknown[]): boolean => !values.includes(undefined) && new Set(values).size === values.length;

function constantsOf(schema: Json | undefined): Json {
  const properties = (schema?.properties ?? {}) as Record<string, Json>;
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, property]) => ('const' in property ? [[name, property.const]] : [])),
  );
}
