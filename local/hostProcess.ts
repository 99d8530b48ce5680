import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const startMs = 30_000;
const stopMs = 10_000;
/** What a process needs of its surroundings; the rest of a developer's shell (AZURE_*, NODE_OPTIONS) stays outside. */
const inherited = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'USERPROFILE', 'LANG'];

export interface HostProcess {
  port: number;
  pid: number;
  functions: { name: string; type: string }[];
  child: ChildProcess;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * Starts the functions host with exactly these settings and waits until it serves.
 * @throws Error with the line that the host ended with
 */
export async function startHostProcess(settings: Record<string, string>): Promise<HostProcess> {
  const env: Record<string, string> = { ...settings };
  for (const name of inherited) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  const child = spawn(process.execPath, [join(process.cwd(), 'dist', 'local', 'host.js')], {
    env,
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    // A group of its own: Ctrl-C is for the parent, which ends this one before what it depends on.
    detached: true,
  });
  let said = '';
  let ready = false;
  child.stderr?.on('data', (chunk: Buffer) => {
    if (ready) process.stderr.write(chunk);
    else said += chunk.toString();
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
    await ended;
    clearTimeout(timer);
  };
  const message = await new Promise<{ port: number; functions: HostProcess['functions'] }>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The functions host did not start within 30 s.')), startMs);
    child.once('message', (told) => {
      clearTimeout(timer);
      resolve(told as { port: number; functions: HostProcess['functions'] });
    });
    // `close` comes after the last of stderr, `exit` may not.
    child.once('close', (code) => {
      clearTimeout(timer);
      reject(new Error(said.trim() || `The functions host ended with code ${code}.`));
    });
  }).catch(async (fault: unknown) => {
    await stop('SIGKILL');
    throw fault;
  });
  ready = true;
  return { ...message, pid: child.pid ?? 0, child, stop };
}
