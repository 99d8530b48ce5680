import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';

/** What happens to a request: at once, or after the tables have acted on it. `lose` closes the connection without an answer. */
export type Fate =
  | { does: 'pass'; lateMs?: number }
  | { does: 'answer'; status: number }
  | { does: 'lose'; after: 'nothing' | 'acting' }
  | { does: 'kill'; after: 'nothing' | 'acting'; kill: () => void }
  /** Never answered: for whoever is killed meanwhile. */
  | { does: 'hold'; after: 'nothing' | 'acting' };

export interface TableProxy {
  /** The connection string, by way of this proxy. */
  connectionString: string;
  /** Decides on each request by its number since then, from 1; what is about a user of `beginFor` is decided there. */
  begin(decide: (number: number) => Fate): void;
  /** Requests since `begin`, and in how many steps they came: those that overlap are one. */
  counted(): { requests: number; steps: number };
  /** The same for the requests about one user alone. */
  beginFor(userId: string, decide: (number: number) => Fate): UserCourse;
  close(): Promise<void>;
}

export interface UserCourse {
  /** Requests so far. */
  count(): number;
  /** Resolves when one is held. */
  held: Promise<'held'>;
  end(): void;
}

interface Course {
  next(): Fate;
  count(): number;
  holds(): void;
  held: Promise<'held'>;
}

function course(decide: (number: number) => Fate): Course {
  let number = 0;
  let holds = (): void => undefined;
  const held = new Promise<'held'>((resolve) => {
    holds = () => resolve('held');
  });
  return {
    held,
    holds: () => holds(),
    next() {
      number += 1;
      return decide(number);
    },
    count: () => number,
  };
}

/** A page of the recovery's work list begins behind some user, and is about none. */
const listOfDue = 'RowKey%20gt%20%27due.';

/** Stands between the functions and Azurite's tables. */
export async function startTableProxy(connectionString: string): Promise<TableProxy> {
  const endpoint = /TableEndpoint=(http:\/\/[^/]+)/.exec(connectionString)?.[1] ?? '';
  const tables = new Pool(endpoint, { connections: 32 });
  let all = course(() => ({ does: 'pass' }));
  const users = new Map<string, Course & { hash: string }>();

  let underWay = 0;
  let steps = 0;

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
    const body = Buffer.concat(chunks);
    const about = request.url?.includes(listOfDue) ? '' : `${request.url} ${body}`;
    const [, course = all] = [...users].find(([user, { hash }]) => about.includes(hash) || about.includes(user)) ?? [];
    const fate = course.next();
    if (fate.does === 'answer') {
      response.writeHead(fate.status).end();
      return;
    }
    if (fate.does === 'pass' && fate.lateMs !== undefined) await sleep(fate.lateMs);
    const nothing = fate.does !== 'pass' && fate.after === 'nothing';
    const answer = nothing ? undefined : await forward(request, body);
    if (fate.does === 'hold') {
      course.holds();
      return;
    }
    if (fate.does === 'kill') fate.kill();
    if (fate.does !== 'pass' || !answer) {
      response.destroy();
      return;
    }
    const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers;
    response.writeHead(answer.status, headers as Record<string, string>).end(answer.body);
  };

  const server = createServer((request, response) => {
    if (underWay === 0) steps += 1;
    underWay += 1;
    response.once('close', () => {
      underWay -= 1;
    });
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    connectionString: connectionString.replace(endpoint, `http://127.0.0.1:${port}`),
    begin(decide) {
      all = course(decide);
      steps = 0;
    },
    counted: () => ({ requests: all.count(), steps }),
    beginFor(userId, decide) {
      // Keys have the user by this hash, events by name.
      const hash = createHash('sha256').update(userId, 'utf8').digest('hex');
      const begun = { ...course(decide), hash };
      users.set(userId, begun);
      return { count: begun.count, held: begun.held, end: () => users.delete(userId) };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await tables.close();
    },
  };
}
