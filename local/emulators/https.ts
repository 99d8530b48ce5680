import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { LocalTls } from '../tls.ts';

export interface HttpsOptions {
  tls: LocalTls;
  /** Default: any free port. */
  port?: number;
  handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

export interface RunningHttps {
  /** `https://localhost:{port}` */
  url: string;
  port: number;
  /** Ends every connection, whatever is still on its way. */
  close(): Promise<void>;
}

/** Serves https on localhost. Rejects if the port is in use; a handler that fails is a 500. */
export async function startHttps({ tls, port = 0, handler }: HttpsOptions): Promise<RunningHttps> {
  const server = createServer({ cert: tls.cert, key: tls.key }, (request, response) => {
    handler(request, response).catch((fault: unknown) => {
      console.error('An emulator failed:', fault);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `https://localhost:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The body of a request. @throws Error over `limit` bytes */
export async function readBody(request: IncomingMessage, limit = 1024 * 1024): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new Error(`The body is larger than ${limit} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      ...headers,
    })
    .end(text);
}

/** The answer of a control API: 200 with what `act` returns, or 400 with what it throws. */
export function sendControlReply(response: ServerResponse, act: () => unknown): void {
  try {
    sendJson(response, 200, act() ?? {});
  } catch (fault) {
    sendJson(response, 400, { error: fault instanceof Error ? fault.message : 'Not understood.' });
  }
}
