import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export type Reply = (response: ServerResponse, request: Received) => void;

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Reply => {
  return (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

/** A server that sends the given replies in turn. The test fails if replies remain or were too few. */
export async function scripted(...replies: Reply[]): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const unused = [...replies];
  let surplus = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    const one = { method, path: url, headers, body: Buffer.concat(chunks).toString() };
    received.push(one);
    const reply = unused.shift();
    if (!reply) surplus += 1;
    (reply ?? json(599, {}))(response, one);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    if (unused.length > 0 || surplus > 0)
      throw new Error(`${unused.length} replies not used, ${surplus} requests too many`);
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}
