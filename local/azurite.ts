import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withTimeout } from '../src/shared/lib/timeout.ts';

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
const stopMs = 5000;
/** What it says at its start is shorter. */
const longestText = 4000;
/** Makes Azurite end with its parent process, however that ends. */
const wrapper = "process.once('disconnect',()=>process.exit(0));process.channel.unref();require(process.argv[1])";

interface Endpoints {
  queuePort: number;
  tablePort: number;
}

/** Starts Azurite on free ports, for tables and queues. Rejects if it does not listen within 20 s. */
export async function startAzurite(options: AzuriteOptions = {}): Promise<RunningAzurite> {
  const location = options.location ?? mkdtempSync(join(tmpdir(), 'azurite-'));
  mkdirSync(location, { recursive: true });
  const key = accountKey(location);
  const child = spawnAzurite(key, options.inMemory ? undefined : location);
  const stop = async (): Promise<void> => {
    await stopChild(child);
    if (options.location === undefined) rmSync(location, { recursive: true, force: true });
  };
  try {
    const endpoints = await withTimeout(startMs, 'the start of Azurite', listeningPorts(child));
    return { connectionString: connectionString(endpoints, key), location, pid: child.pid ?? 0, child, stop };
  } catch (fault) {
    await stop();
    throw fault;
  }
}

/** Without a location it keeps its data in memory. It takes free ports itself: one that was free a moment ago could be taken. */
function spawnAzurite(key: string, location: string | undefined): ChildProcess {
  const script = createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js');
  const args = ['-e', wrapper, script, '--silent', '--disableTelemetry', '--skipApiVersionCheck'];
  if (location === undefined) args.push('--inMemoryPersistence');
  else args.push('--location', location);
  args.push('--blobPort', '0', '--queuePort', '0', '--tablePort', '0');
  return spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    // In its own process group: Ctrl-C reaches the parent alone, which ends this process after the parts that use it.
    detached: true,
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` },
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await ended;
  clearTimeout(timer);
}

function connectionString({ queuePort, tablePort }: Endpoints, key: string): string {
  return [
    'DefaultEndpointsProtocol=http',
    `AccountName=${account}`,
    `AccountKey=${key}`,
    `QueueEndpoint=http://127.0.0.1:${queuePort}/${account}`,
    `TableEndpoint=http://127.0.0.1:${tablePort}/${account}`,
  ].join(';');
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

/** The ports that it says it listens at. Later lines are read and dropped. */
function listeningPorts(child: ChildProcess): Promise<Endpoints> {
  let text = '';
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`Azurite ended at its start with code ${code}.`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      text = `${text}${chunk}`.slice(-longestText);
      const [queuePort, tablePort] = ['Queue', 'Table'].map((service) => {
        return Number(
          new RegExp(`Azurite ${service} service is successfully listening at \\S+:(\\d+)\\s`).exec(text)?.[1],
        );
      });
      if (queuePort && tablePort) resolve({ queuePort, tablePort });
    });
  });
}
