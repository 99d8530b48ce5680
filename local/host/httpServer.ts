import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { FunctionsApp, LogSink, RpcBody, RpcHttp } from './functionsApp.ts';
import { match, type Route } from './router.ts';

const bodyLimit = 100 * 1024 * 1024;
/** As Azure's host: a connection that a caller is about to use again is not closed under it. */
const keepAliveMs = 130_000;

export interface HttpHostOptions {
  app: FunctionsApp;
  routes: Route[];
  functionKey: string;
  masterKey: string;
  /** Starts the timer of this name, without waiting for it; false if there is none. */
  fireTimer: (name: string) => boolean;
  log: LogSink;
}

/** Routes, keys and answers as Azure's host has them. What the host answers itself has no body. */
export function createHttpHost(options: HttpHostOptions): Server {
  const { app, routes, functionKey, masterKey, log } = options;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/' } = request;
    const [encodedPath = '/', search = ''] = splitOnce(url, '?');
    const query = queryOf(search);
    const key = keyOf(request, query);
    const adminName = /^\/admin\/functions\/([^/]+)$/i.exec(encodedPath)?.[1];
    if (adminName !== undefined && method === 'POST') {
      await readBody(request);
      response.writeHead(adminStatus(request, key, adminName)).end();
      return;
    }
    const found = match(routes, method, encodedPath);
    const body = await readBody(request);
    if (found === 'notFound' || found === 'badRequest' || body === undefined) {
      response.writeHead(found === 'notFound' ? 404 : body === undefined ? 413 : 400).end();
      return;
    }
    if (!found.route.anonymous && !isSameKey(key, functionKey) && !isSameKey(key, masterKey)) {
      response.writeHead(401).end();
      return;
    }
    const http: RpcHttp = {
      method,
      url: `http://${hostOf(request)}${found.path}${search === '' ? '' : `?${search}`}`,
      nullableHeaders: nullable(headersOf(request)),
      nullableParams: nullable(found.params),
      nullableQuery: nullable(query),
      body: { bytes: isChunked(request) ? Buffer.alloc(0) : body },
    };
    const { returnValue } = await app.invoke(found.route.hosted, { http });
    const { statusCode = '200', headers = {}, body: answer } = returnValue?.http ?? {};
    const bytes = bytesOf(answer);
    if (bytes === undefined || bytes.length === 0) response.writeHead(Number(statusCode), headers).end();
    else response.writeHead(Number(statusCode), { ...headers, 'content-length': bytes.length }).end(bytes);
  };

  const adminStatus = (request: IncomingMessage, key: string, name: string): number => {
    if (key === '') return 401;
    if (!isSameKey(key, masterKey)) return isSameKey(key, functionKey) ? 403 : 401;
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return 415;
    return options.fireTimer(decodeURIComponent(name)) ? 202 : 404;
  };

  return createServer({ keepAliveTimeout: keepAliveMs }, (request, response) => {
    handle(request, response).catch((fault: unknown) => {
      log('error', 'host', `An invocation failed: ${fault instanceof Error ? fault.message : 'unknown'}`);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    });
  });
}

function splitOnce(text: string, separator: string): string[] {
  const index = text.indexOf(separator);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

/** Values of a name are joined by commas, as .NET shows them, also if it is repeated in another case. */
function queryOf(search: string): Record<string, string> {
  const query: Record<string, string> = Object.create(null);
  const names = new Map<string, string>();
  for (const [sent, value] of new URLSearchParams(search)) {
    const name = names.get(sent.toLowerCase()) ?? sent;
    query[name] = name in query ? `${query[name]},${value}` : value;
    names.set(name.toLowerCase(), name);
  }
  return query;
}

/** Azure's host hands a body over only if it came with a length. */
function isChunked({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Header values as Azure's host reads them, in UTF-8. What is none stays Latin-1, as Node reads it. */
function headersOf({ headers }: IncomingMessage): Record<string, string | string[]> {
  const inUtf8 = (value: string): string => {
    try {
      return utf8.decode(Buffer.from(value, 'latin1'));
    } catch {
      // Only for what is no UTF-8.
      return value;
    }
  };
  return Object.fromEntries(
    Object.entries(headers).map(([name, value = '']) => [
      name,
      Array.isArray(value) ? value.map(inUtf8) : inUtf8(value),
    ]),
  );
}

function keyOf(request: IncomingMessage, query: Record<string, string>): string {
  const header = request.headers['x-functions-key'];
  const code = Object.keys(query).find((name) => name.toLowerCase() === 'code');
  return (Array.isArray(header) ? header[0] : header) ?? (code === undefined ? '' : (query[code] ?? ''));
}

/** What the request names as its host, if it is one. */
function hostOf({ headers: { host = '' } }: IncomingMessage): string {
  return /^[\w.-]+(:\d{1,5})?$|^\[[\da-f:]+\](:\d{1,5})?$/i.test(host) ? host : 'localhost';
}

function isSameKey(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  // A key that is not set matches no request.
  return b.length > 0 && a.length === b.length && timingSafeEqual(a, b);
}

function nullable(values: Record<string, string | string[]>): Record<string, { value: string }> {
  const mapped: Record<string, { value: string }> = Object.create(null);
  for (const [name, value] of Object.entries(values))
    mapped[name] = { value: Array.isArray(value) ? value.join(',') : value };
  return mapped;
}

function bytesOf(body: RpcBody | undefined): Uint8Array | undefined {
  if (body?.bytes) return body.bytes;
  const text = body?.string ?? body?.json;
  return text === undefined ? undefined : Buffer.from(text);
}

/** undefined if it is larger than the host takes. */
function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bodyLimit) chunks.push(chunk);
    });
    request.on('end', () => resolve(size <= bodyLimit ? Buffer.concat(chunks) : undefined));
    request.on('error', reject);
  });
}
