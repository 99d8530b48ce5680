import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RunningAzurite {
  connectionString: string;
  /** Where its files are. */
  location: string;
  pid: number;
  child: ChildProcess;
  stop(): Promise<void>;
}

export interface AzuriteOptions {
  /** Keeps its data, and the account's key, here; default a folder that `stop` removes. */
  location?: string;
  /** Keeps its data in memory alone: what it writes to disk now and then grows with all that it has. */
  inMemory?: boolean;
}

const account = 'localstore';
const startMs = 20_000;
/** Ends with its parent, however that ends. */
const wrapper = "process.once('disconnect',()=>process.exit(0));process.channel.unref();require(process.argv[1])";

/** Starts Azurite on free ports, for tables and queues. Rejects if it does not answer within 20 s. */
export async function startAzurite(options: AzuriteOptions = {}): Promise<RunningAzurite> {
  const location = options.location ?? mkdtempSync(join(tmpdir(), 'azurite-'));
  mkdirSync(location, { recursive: true });
  const key = accountKey(location);
  const [blobPort, queuePort, tablePort] = await freePorts(3);
  const script = createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js');
  const child = spawn(
    process.execPath,
    [
      ...['-e', wrapper, script, '--silent', '--disableTelemetry', '--skipApiVersionCheck'],
      ...(options.inMemory ? ['--inMemoryPersistence'] : ['--location', location]),
      ...['--blobPort', `${blobPort}`, '--queuePort', `${queuePort}`, '--tablePort', `${tablePort}`],
    ],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // A group of its own: Ctrl-C is for the parent, which ends this one after those that use it.
      detached: true,
      env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` },
    },
  );
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(timer);
    }
    if (options.location === undefined) rmSync(location, { recursive: true, force: true });
  };
  try {
    await Promise.all([queuePort, tablePort].map((port) => answering(port ?? 0, child)));
  } catch (fault) {
    await stop();
    throw fault;
  }
  return {
    connectionString: [
      ...['DefaultEndpointsProtocol=http', `AccountName=${account}`, `AccountKey=${key}`],
      ...[
        `QueueEndpoint=http://127.0.0.1:${queuePort}/${account}`,
        `TableEndpoint=http://127.0.0.1:${tablePort}/${account}`,
      ],
    ].join(';'),
    location,
    pid: child.pid ?? 0,
    child,
    stop,
  };
}

function accountKey(location: string): string {
  const file = join(location, 'account.key');
  try {
    return readFileSync(file, 'utf8');
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'ENOENT') throw fault;
    const key = randomBytes(64).toString('base64');
    writeFileSync(file, key, { mode: 0o600 });
    return key;
  }
}

/** Ports that were free a moment ago: held all at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  const until = Date.now() + startMs;
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`Azurite ended at its start with code ${child.exitCode}.`);
    if (await accepts(port)) return;
    await sleep(50);
  }
  throw new Error(`Azurite did not answer within ${startMs / 1000} s.`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
      .once('connect', () => {
        socket.destroy();
        resolve(true);
      })
      .once('error', () => resolve(false));
  });
}
