import type { HttpRequest } from '@azure/functions';
import type * as z from 'zod';
import { type FieldError, Problem } from '../contract/problems.ts';
import type { Method, Operation } from '../contract/route.ts';

type RequestPart = 'path' | 'query' | 'body';

const bodyLimit = 256 * 1024;
const shownErrors = 20;
const shownLength = 200;
const utf8 = new TextDecoder('utf-8', { fatal: true });

function invalidRequest(errors: FieldError[]): Problem {
  return new Problem('invalid_request', 'The request does not fit the schema of this route; see errors.', {
    errors: errors.slice(0, shownErrors),
  });
}

/** Issues of one part of a request as JSON Pointers into `{path, query, body}`. */
function fieldErrors(part: string, error: z.ZodError): FieldError[] {
  return error.issues.flatMap((issue) => {
    const steps = [part, ...issue.path.map(String)];
    if (issue.code !== 'unrecognized_keys')
      return [{ path: pointer(steps), message: issue.message.slice(0, shownLength) }];
    return issue.keys.map((key) => ({ path: pointer([...steps, key]), message: 'is not known here' }));
  });
}

function pointer(steps: string[]): string {
  return steps.map((step) => `/${step.slice(0, shownLength).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/**
 * The parts of a request by the schemas of its operation. The size is checked first, then body, path and query.
 * @throws Problem payload_too_large, invalid_request
 */
export async function parseRequest(operation: Operation, request: HttpRequest): Promise<Record<RequestPart, unknown>> {
  const received: Record<RequestPart, unknown> = {
    body: await readBody(request, operation.method),
    path: { ...request.params },
    query: readQuery(request, operation),
  };
  if (operation.body === undefined && !isEmptyBody(received.body))
    throw invalidRequest([{ path: '/body', message: 'this route takes no body' }]);
  return {
    path: parsePart('path', operation, received.path),
    query: parsePart('query', operation, received.query),
    body: parsePart('body', operation, received.body),
  };
}

function parsePart(part: RequestPart, operation: Operation, received: unknown): unknown {
  const parsed = operation[part]?.safeParse(received);
  if (parsed && !parsed.success) throw invalidRequest(fieldErrors(part, parsed.error));
  return parsed?.data ?? {};
}

/**
 * The body as JSON; an empty one is undefined. The programming model drops the body of a GET, so that only its announced length
 * can be checked: two bytes may be `{}`.
 * @throws Problem payload_too_large, invalid_request
 */
async function readBody(request: HttpRequest, method: Method): Promise<unknown> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > bodyLimit) throw tooLarge();
  if (method === 'GET') {
    if (announced > 2) throw invalidRequest([{ path: '/body', message: 'this route takes no body' }]);
    return undefined;
  }
  const bytes = await request.arrayBuffer();
  if (bytes.byteLength > bodyLimit) throw tooLarge();
  if (bytes.byteLength === 0) return undefined;
  return parseJson(bytes);
}

/** Whether nothing was sent, or `{}`. */
function isEmptyBody(body: unknown): boolean {
  if (body === undefined) return true;
  return typeof body === 'object' && body !== null && !Array.isArray(body) && Object.keys(body).length === 0;
}

function tooLarge(): Problem {
  return new Problem('payload_too_large', `The body is larger than ${bodyLimit} bytes.`);
}

function parseJson(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    // The parser's message quotes the text, which may contain a key.
    throw invalidRequest([{ path: '/body', message: 'must be JSON in UTF-8' }]);
  }
}

/**
 * Query parameters by name; `code` is the host's.
 * @throws Problem invalid_request for repeated parameters, and for any where the operation takes none
 */
function readQuery(request: HttpRequest, operation: Operation): Record<string, string> {
  const query: Record<string, string> = Object.create(null);
  const errors: FieldError[] = [];
  for (const [name, value] of queryParameters(request)) {
    if (name === 'code') continue;
    if (operation.query === undefined) errors.push({ path: pointer(['query', name]), message: 'is not known here' });
    else if (name in query) errors.push({ path: pointer(['query', name]), message: 'is repeated' });
    query[name] = value;
  }
  if (errors.length > 0) throw invalidRequest(errors);
  return query;
}

/**
 * `request.query` joins repeated parameters by commas, so they are read from the URL. Its path is decoded and may contain the `?` of
 * an id: the query starts after the first `?` that leaves the parameters of `request.query`.
 */
function queryParameters(request: HttpRequest): [string, string][] {
  const mapped = [...request.query];
  if (mapped.length === 0) return [];
  const { url } = request;
  for (let mark = url.indexOf('?'); mark >= 0; mark = url.indexOf('?', mark + 1)) {
    const pairs = [...new URLSearchParams(url.slice(mark + 1))];
    if (joinRepeated(pairs) === joinRepeated(mapped)) return pairs;
  }
  return mapped;
}

function joinRepeated(pairs: [string, string][]): string {
  const byName = new Map<string, string>();
  for (const [name, value] of pairs) byName.set(name, byName.has(name) ? `${byName.get(name)},${value}` : value);
  return JSON.stringify([...byName].sort());
}
