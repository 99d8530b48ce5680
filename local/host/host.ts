import { createWriteStream, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format } from 'node:util';
import { type FunctionsApp, type LogSink, loadApp, triggerOf } from './functionsApp.ts';
import { createHttpHost } from './httpServer.ts';
import { routesOf } from './router.ts';
import { startTimers } from './timers.ts';

const consoleLevels = {
  debug: 'debug',
  log: 'information',
  info: 'information',
  warn: 'warning',
  error: 'error',
} as const;

export interface FunctionInfo {
  name: string;
  type: string;
  route?: string;
  methods?: string[];
}

export interface RunningHost {
  port: number;
  functions: FunctionInfo[];
  stop(): Promise<void>;
}

/**
 * Starts the app in `FUNCTIONS_APP_DIR` (default: the working folder) on `FUNCTIONS_PORT` (default 7071, 0 = any) with
 * `FUNCTIONS_KEY` and `FUNCTIONS_MASTER_KEY`. `FUNCTIONS_TIMERS=off` leaves the timers to `POST /admin/functions/{name}`;
 * `FUNCTIONS_LOG_FILE` takes the log in place of stdout.
 * @throws Error if the app cannot be loaded or started, or the port is in use
 */
export async function startHost(env: Record<string, string | undefined>): Promise<RunningHost> {
  const folder = resolve(env.FUNCTIONS_APP_DIR ?? '.');
  process.chdir(folder);
  const log = logSink(env.FUNCTIONS_LOG_FILE);
  keepConsole(log);
  const main = readJson(join(folder, 'package.json')).main;
  if (typeof main !== 'string') throw new Error(`${folder} is no function app: its package.json has no main.`);
  const app = await loadApp(() => import(pathToFileURL(join(folder, main)).href), log);
  const timers = startTimers({ app, log, env, scheduled: env.FUNCTIONS_TIMERS !== 'off' });
  const server = createHttpHost({
    app,
    routes: routesOf(app.functions.values(), routePrefix(folder)),
    functionKey: env.FUNCTIONS_KEY ?? '',
    masterKey: env.FUNCTIONS_MASTER_KEY ?? '',
    fireTimer: (name) => timers.fire(name),
    log,
  });
  const port = Number(env.FUNCTIONS_PORT ?? 7071);
  await new Promise<void>((done, failed) => {
    server.once('error', (fault: NodeJS.ErrnoException) => {
      timers.stop();
      failed(fault.code === 'EADDRINUSE' ? new Error(`Port ${port} (functions) is in use.`) : fault);
    });
    server.listen(port, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    functions: infoOf(app),
    async stop() {
      timers.stop();
      await new Promise<void>((done) => {
        server.close(() => done());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), 2000).unref();
      });
      await app.terminate();
    },
  };
}

function infoOf(app: FunctionsApp): FunctionInfo[] {
  return [...app.functions.values()].map((hosted) => {
    const { type, route, methods } = triggerOf(hosted);
    return { name: hosted.name, type, ...(route !== undefined && { route }), ...(methods && { methods }) };
  });
}

function routePrefix(folder: string): string {
  const host = readJson(join(folder, 'host.json')) as { extensions?: { http?: { routePrefix?: string } } };
  return host.extensions?.http?.routePrefix ?? 'api';
}

function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** What the app writes to the console is part of the log, as in Azure. */
function keepConsole(log: LogSink): void {
  for (const [method, level] of Object.entries(consoleLevels)) {
    console[method as keyof typeof consoleLevels] = (...args: unknown[]) => log(level, 'console', format(...args));
  }
}

function logSink(file: string | undefined): LogSink {
  const stream = file === undefined ? process.stdout : createWriteStream(file, { flags: 'a' });
  let lines = '';
  const flush = (): void => {
    stream.write(lines);
    lines = '';
  };
  return (level, source, message) => {
    if (lines === '') setImmediate(flush);
    lines += `${new Date().toISOString()} ${level} [${source}] ${message}\n`;
  };
}
