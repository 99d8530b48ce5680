import { Pool } from 'undici';
import type { Stack } from '../../local/stack.ts';

export interface FunctionsClient {
  /** @throws Error if the answer is not 200 */
  send(method: 'POST' | 'PUT', path: string, body: object): Promise<void>;
  close(): Promise<void>;
}

export function functionsClient(stack: Stack): FunctionsClient {
  const pool = new Pool(stack.functionsUrl, { connections: 64 });
  const headers = { 'x-functions-key': stack.identities.functionKey };
  return {
    async send(method, path, body) {
      const answer = await pool.request({ method, path, headers, body: JSON.stringify(body) });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`);
    },
    close: () => pool.close(),
  };
}

export interface BenchPlayer {
  user: string;
  collectionsId: string;
}

/** Players with registered keys, each of whom has bought `quantity` of a product. */
export async function players(
  stack: Stack,
  client: FunctionsClient,
  count: number,
  bought: { productId: string; quantity: number },
): Promise<BenchPlayer[]> {
  const made: BenchPlayer[] = [];
  for (let index = 0; index < count; index += 1) {
    const user = `${bought.productId}-${index}`;
    stack.store.control.purchase({ user, ...bought });
    const keys = stack.store.control.createKeys({ user });
    await client.send('PUT', `/api/users/${user}/store-ids`, keys);
    made.push({ user, collectionsId: keys.collectionsId ?? '' });
  }
  return made;
}
