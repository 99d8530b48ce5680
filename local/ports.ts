import { once } from 'node:events';
import { createServer } from 'node:net';

/** The ports of a stack, one for each part. */
export interface Ports {
  functions: number;
  entra: number;
  keyVault: number;
  collections: number;
  purchase: number;
}

/** The functions at `first`, the emulators at the four ports after it. */
export function portsFrom(first: number): Ports {
  return {
    functions: first,
    entra: first + 1,
    keyVault: first + 2,
    collections: first + 3,
    purchase: first + 4,
  };
}

/** Rejects with EADDRINUSE if a port is in use. */
export async function assertPortFree(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  await new Promise((done) => server.close(done));
}
