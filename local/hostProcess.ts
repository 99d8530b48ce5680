import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { FunctionInfo } from './host/host.ts';

const startMs = 30_000;
const stopMs = 10_000;
/** What a process needs of its surroundings; it does not get the rest of a developer's shell (AZURE_*, NODE_OPTIONS). */
const inherited = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'USERPROFILE', 'LANG'];
/** What Node prints for a debugger: not the reason why a host ended. */
const debuggerLines = /^(Debugger listening on|For help, see:|Debugger attached|Waiting for the debugger).*\n?/gm;

export interface HostProcess {
  port: number;
  pid: number;
  functions: FunctionInfo[];
  child: ChildProcess;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

interface ReadyMessage {
  port: number;
  functions: FunctionInfo[];
}

/**
 * Starts the functions host with exactly these settings and waits until it serves. With `inspectPort` a debugger can attach
 * to it there.
 * @throws Error with the line that the host ended with
 */
export async function startHostProcess(settings: Record<string, string>, inspectPort?: number): Promise<HostProcess> {
  const nodeOptions = inspectPort === undefined ? [] : [`--inspect=127.0.0.1:${inspectPort}`];
  const child = spawn(process.execPath, [...nodeOptions, join(process.cwd(), 'dist', 'local', 'host.js')], {
    env: environmentOf(settings),
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    // In its own process group: Ctrl-C reaches the parent alone, which ends this process before the parts that it uses.
    detached: true,
  });
  try {
    const { port, functions } = await readyMessage(child);
    return { port, functions, pid: child.pid ?? 0, child, stop: (signal) => stopChild(child, signal) };
  } catch (fault) {
    await stopChild(child, 'SIGKILL');
    throw fault;
  }
}

function environmentOf(settings: Record<string, string>): Record<string, string> {
  const env: Record<string, string> = { ...settings };
  for (const name of inherited) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** The host's message once it serves. What it prints until then is the reason if it ends; after that it goes to stderr. */
function readyMessage(child: ChildProcess): Promise<ReadyMessage> {
  let errorText = '';
  let ready = false;
  child.stderr?.on('data', (chunk: Buffer) => {
    if (ready) process.stderr.write(chunk);
    else errorText += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The functions host did not start within 30 s.')), startMs);
    child.once('message', (message) => {
      clearTimeout(timer);
      ready = true;
      resolve(message as ReadyMessage);
    });
    // `close` comes after the last of stderr, `exit` may not.
    child.once('close', (code) => {
      clearTimeout(timer);
      const reason = errorText.replace(debuggerLines, '').trim();
      reject(new Error(reason || `The functions host ended with code ${code}.`));
    });
  });
}

async function stopChild(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await ended;
  clearTimeout(timer);
}
