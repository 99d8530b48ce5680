import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

/** What happens to a request: at once, or after the tables have acted on it. `lose` closes the connection without an answer. */
export type Fate =
  | { does: 'pass' }
  | { does: 'answer'; status: number }
  | { does: 'lose'; after: 'nothing' | 'acting' }
  | { does: 'kill'; after: 'nothing' | 'acting'; kill: () => void };

export interface TableProxy {
  /** The connection string, by way of this proxy. */
  connectionString: string;
  /** Decides on each request by its number since `begin`, from 1. */
  begin(decide: (number: number) => Fate): void;
  /** Requests since `begin`. */
  count(): number;
  close(): Promise<void>;
}

/** Stands between the functions and Azurite's tables. */
export async function startTableProxy(connectionString: string): Promise<TableProxy> {
  const endpoint = /TableEndpoint=(http:\/\/[^/]+)/.exec(connectionString)?.[1] ?? '';
  const tables = new Pool(endpoint, { connections: 32 });
  let decide: (number: number) => Fate = () => ({ does: 'pass' });
  let number = 0;

  const forward = async (request: IncomingMessage, body: Buffer) => {
    const { host: _, connection: __, ...headers } = request.headers;
    const answer = await tables.request({
      ...{
        method: (request.method ?? 'GET') as 'GET',
        path: request.url ?? '/',
        headers: { ...headers, host: new URL(endpoint).host },
      },
      ...(body.length > 0 && { body }),
    });
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.from(await answer.body.arrayBuffer()) };
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    number += 1;
    const fate = decide(number);
    if (fate.does === 'answer') {
      response.writeHead(fate.status).end();
      return;
    }
    const nothing = fate.does !== 'pass' && fate.after === 'nothing';
    const answer = nothing ? undefined : await forward(request, Buffer.concat(chunks));
    if (fate.does === 'kill') fate.kill();
    if (fate.does !== 'pass' || !answer) {
      response.destroy();
      return;
    }
    const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers;
    response.writeHead(answer.status, headers as Record<string, string>).end(answer.body);
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    connectionString: connectionString.replace(endpoint, `http://127.0.0.1:${port}`),
    begin(next) {
      decide = next;
      number = 0;
    },
    count: () => number,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await tables.close();
    },
  };
}
