import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';

/** What the proxy does with a request. `acted`: the tables have acted on it before. */
export type ProxyAction =
  | { does: 'pass'; lateMs?: number }
  | { does: 'answer'; status: number }
  /** Closes the connection without an answer. */
  | { does: 'drop'; acted: boolean }
  | { does: 'kill'; acted: boolean; kill: () => void }
  /** Never answers. */
  | { does: 'hang'; acted: boolean };

/** Decides on a request by its number, from 1. */
export type Decide = (number: number) => ProxyAction;

export interface TableProxy {
  /** The connection string, by way of this proxy. */
  connectionString: string;
  /** Decides on all requests from now on, but for those about a user of `decideFor`. */
  decideAll(decide: Decide): void;
  /** Requests since `decideAll`, and in how many steps they came: those that overlap are one. */
  count(): { requests: number; steps: number };
  /** Decides on the requests about one user, which are counted apart. */
  decideFor(userId: string, decide: Decide): UserRequests;
  close(): Promise<void>;
}

export interface UserRequests {
  /** Requests so far. */
  count(): number;
  /** Resolves when one hangs. */
  hanging: Promise<'hanging'>;
  /** Decides on them no more. */
  end(): void;
}

interface Requests {
  decideNext(): ProxyAction;
  count(): number;
  hang(): void;
  hanging: Promise<'hanging'>;
}

function requestsBy(decide: Decide): Requests {
  let number = 0;
  let hang = (): void => undefined;
  const hanging = new Promise<'hanging'>((resolve) => {
    hang = () => resolve('hanging');
  });
  return {
    hanging,
    hang: () => hang(),
    decideNext() {
      number += 1;
      return decide(number);
    },
    count: () => number,
  };
}

/** Part of a request for a page of the recovery's list. It can contain the hash of a user, but is not about that user. */
const dueList = 'RowKey%20gt%20%27due.';

/** All requests, and those about single users apart. */
function decisions() {
  let all = requestsBy(() => ({ does: 'pass' }));
  const users = new Map<string, Requests & { hash: string }>();
  return {
    decideAll(decide: Decide): void {
      all = requestsBy(decide);
    },
    decideFor(userId: string, decide: Decide): UserRequests {
      // Keys of rows contain this hash of the user, events the name.
      const hash = createHash('sha256').update(userId, 'utf8').digest('hex');
      const requests = { ...requestsBy(decide), hash };
      users.set(userId, requests);
      return { count: requests.count, hanging: requests.hanging, end: () => users.delete(userId) };
    },
    count: () => all.count(),
    requestsOf({ url = '/' }: IncomingMessage, body: Buffer): Requests {
      if (url.includes(dueList)) return all;
      const text = `${url} ${body}`;
      const found = [...users].find(([user, { hash }]) => text.includes(hash) || text.includes(user));
      return found?.[1] ?? all;
    },
  };
}

async function forward(tables: Pool, host: string, request: IncomingMessage, body: Buffer) {
  const { host: _, connection: __, ...headers } = request.headers;
  const answer = await tables.request({
    method: (request.method ?? 'GET') as 'GET',
    path: request.url ?? '/',
    headers: { ...headers, host },
    ...(body.length > 0 && { body }),
  });
  const { 'transfer-encoding': ___, connection: ____, ...answered } = answer.headers;
  return {
    status: answer.statusCode,
    headers: answered as Record<string, string>,
    body: Buffer.from(await answer.body.arrayBuffer()),
  };
}

/** Starts a proxy between the functions and Azurite's tables. */
export async function startTableProxy(connectionString: string): Promise<TableProxy> {
  const endpoint = /TableEndpoint=(http:\/\/[^/]+)/.exec(connectionString)?.[1] ?? '';
  const { host } = new URL(endpoint);
  const tables = new Pool(endpoint, { connections: 32 });
  const { requestsOf, decideAll, decideFor, count } = decisions();
  let inProgress = 0;
  let steps = 0;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const requests = requestsOf(request, body);
    const action = requests.decideNext();
    if (action.does === 'answer') {
      response.writeHead(action.status).end();
      return;
    }
    if (action.does === 'pass' && action.lateMs !== undefined) await sleep(action.lateMs);
    const acts = action.does === 'pass' || action.acted;
    const answer = acts ? await forward(tables, host, request, body) : undefined;
    if (action.does === 'hang') {
      requests.hang();
      return;
    }
    if (action.does === 'kill') action.kill();
    if (action.does === 'pass' && answer) response.writeHead(answer.status, answer.headers).end(answer.body);
    else response.destroy();
  };

  const server = createServer((request, response) => {
    if (inProgress === 0) steps += 1;
    inProgress += 1;
    response.once('close', () => {
      inProgress -= 1;
    });
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    connectionString: connectionString.replace(endpoint, `http://127.0.0.1:${port}`),
    decideAll(decide) {
      decideAll(decide);
      steps = 0;
    },
    decideFor,
    count: () => ({ requests: count(), steps }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await tables.close();
    },
  };
}
