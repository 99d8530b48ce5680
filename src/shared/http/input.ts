import type { HttpRequest } from '@azure/functions';
import { Problem } from '../contract/problems.ts';
import type { Operation } from '../contract/route.ts';
import { invalidRequest, wrongFields } from './fieldErrors.ts';
import { plainMessage } from './messages.ts';
import { readQuery } from './query.ts';

type RequestPart = 'path' | 'query' | 'body';

const bodyLimit = 256 * 1024;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The parts of a request by the schemas of its operation. The size is checked first, then body, path and query. The time that this
 * takes is in proportion to the length of the request (http-api.md 1).
 * @throws Problem payload_too_large, length_required, invalid_request
 */
export async function parseRequest(operation: Operation, request: HttpRequest): Promise<Record<RequestPart, unknown>> {
  const received: Record<RequestPart, unknown> = {
    body: await readBody(request, operation),
    path: { ...request.params },
    query: readQuery(request, operation),
  };
  if (operation.body === undefined && !isEmptyBody(received.body)) throw surplusBody();
  return {
    path: parsePart('path', operation, received.path),
    query: parsePart('query', operation, received.query),
    body: parsePart('body', operation, received.body),
  };
}

function parsePart(part: RequestPart, operation: Operation, received: unknown): unknown {
  const parsed = operation[part]?.safeParse(received, { error: plainMessage });
  if (parsed && !parsed.success) throw invalidRequest(wrongFields(part, parsed.error));
  return parsed?.data ?? {};
}

/**
 * The body as JSON; an empty one is undefined. The programming model drops the body of a GET, so that only its announced length
 * can be checked: two bytes may be `{}`.
 * @throws Problem payload_too_large, length_required, invalid_request
 */
async function readBody(request: HttpRequest, operation: Operation): Promise<unknown> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > bodyLimit) throw tooLarge();
  if (operation.method === 'GET') {
    if (announced > 2) throw surplusBody();
    return undefined;
  }
  const bytes = await request.arrayBuffer();
  if (bytes.byteLength > bodyLimit) throw tooLarge();
  if (bytes.byteLength > 0) return parseJson(bytes);
  if (operation.body !== undefined && isChunked(request)) throw lengthRequired();
  return undefined;
}

/** Azure's host drops the body of such a request; its header arrives. */
function isChunked({ headers }: HttpRequest): boolean {
  return /\bchunked\b/i.test(headers.get('transfer-encoding') ?? '');
}

/** Whether nothing was sent, or `{}`. */
function isEmptyBody(body: unknown): boolean {
  if (body === undefined) return true;
  return typeof body === 'object' && body !== null && !Array.isArray(body) && Object.keys(body).length === 0;
}

function surplusBody(): Problem {
  return invalidRequest([{ steps: ['body'], message: 'must be absent or {}: this operation takes no body' }]);
}

function tooLarge(): Problem {
  const detail = `The body is larger than ${bodyLimit} bytes. Send less at once: fewer products or ids in one request.`;
  return new Problem('payload_too_large', detail);
}

function lengthRequired(): Problem {
  return new Problem(
    'length_required',
    'The request was sent with Transfer-Encoding: chunked, and Azure Functions does not hand such a body over. Send it with a ' +
      'Content-Length. In .NET use StringContent, or await content.LoadIntoBufferAsync() before the request is sent, in place of ' +
      'PostAsJsonAsync.',
  );
}

function parseJson(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    // The parser's message quotes the text, which may contain a key.
    throw invalidRequest([{ steps: ['body'], message: 'must be JSON in UTF-8' }]);
  }
}
