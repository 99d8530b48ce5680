import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startHostProcess } from '../../local/hostProcess.ts';
import { startStack } from '../../local/stack.ts';
import { freePorts } from '../support/freePorts.ts';

const units = JSON.parse(readFileSync('infra/units.json', 'utf8')) as Record<string, { functions: string[] }>;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stack-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw fault;
  }
};

test('a port in use is named with its part, and nothing is left running', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  onTestFinished(() => new Promise((done) => blocker.close(() => done())));
  const usedPort = (blocker.address() as AddressInfo).port;
  const [functions = 0, entra = 0, keyVault = 0, collections = 0, purchase = 0] = await freePorts(5);
  const ports = { functions, entra, keyVault, collections, purchase };
  const logFile = join(temporaryFolder(), 'log');
  for (const [part, name] of [
    ['functions', 'functions'],
    ['keyVault', 'Key Vault'],
    ['purchase', 'Microsoft Store'],
  ] as const) {
    const start = startStack({ ports: { ...ports, [part]: usedPort }, logFile });
    await expect(start).rejects.toThrow(`Port ${usedPort} (${name}) is in use`);
  }
});

test('a connection string that only the tables\u2019 client refuses stops the start too', async () => {
  const settings = {
    FUNCTIONS_APP_DIR: join(process.cwd(), 'dist', 'units', 'events-ack'),
    FUNCTIONS_PORT: '0',
    TABLES_CONNECTION_STRING: 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Zm9v',
  };
  await expect(startHostProcess(settings)).rejects.toThrow('unreadable: TABLES_CONNECTION_STRING (');
});

test('missing settings stop the start with one line that names them', async () => {
  const settings = { FUNCTIONS_APP_DIR: process.cwd(), FUNCTIONS_PORT: '0', STORE_SANDBOX: 'not one' };
  const fault = await startHostProcess(settings).catch((error: Error) => error.message);
  expect(fault).toMatch(/^These settings are missing or unreadable: [^\n]*$/);
  for (const name of [
    'ENTRA_TENANT_ID',
    'ENTRA_CLIENT_ID',
    'KEY_VAULT_URI',
    'STORE_SANDBOX',
    'TABLES_CONNECTION_STRING',
  ]) {
    expect(fault).toContain(name);
  }
});

const everywhere = {
  FUNCTIONS_PORT: '0',
  // No function reads it yet: only the app of all functions checks it.
  KEY_RENEWAL_MODE: 'sometimes',
};

/** What the start of a unit without settings names. */
async function namedAtStart(unit: string): Promise<string[]> {
  const settings = { ...everywhere, FUNCTIONS_APP_DIR: join(process.cwd(), 'dist', 'units', unit) };
  const fault = await startHostProcess(settings).catch((error: Error) => error.message);
  if (typeof fault !== 'string') {
    await fault.stop();
    return [];
  }
  return [...fault.matchAll(/(\w+) \(/g)].map(([, name = '']) => name).sort();
}

test.each([
  ['openapi', []],
  ['events-ack', ['TABLES_CONNECTION_STRING']],
  ['consume-record', ['TABLES_CONNECTION_STRING']],
  ['health', ['KEY_VAULT_URI', 'TABLES_CONNECTION_STRING']],
  ['service-tickets', ['ENTRA_CLIENT_ID', 'ENTRA_TENANT_ID', 'KEY_VAULT_URI']],
  ['user-store-ids', ['ENTRA_CLIENT_ID', 'ENTRA_TENANT_ID', 'KEY_VAULT_URI', 'TABLES_CONNECTION_STRING']],
])('the unit %s asks for the settings that it reads: %j', async (unit, names) => {
  expect(await namedAtStart(unit)).toEqual(names);
});

test('a lost part is named, the state outlives the stack, and every unit runs alone', async () => {
  const stateDir = join(temporaryFolder(), 'state');
  const logFile = join(temporaryFolder(), 'log');
  const lost: string[] = [];
  const first = await startStack({ stateDir, logFile, onLost: (part, how) => lost.push(`${part} ${how}`) });
  const headers = { 'x-functions-key': first.identities.functionKey };
  const keys = first.store.control.createKeys({ user: 'p' });
  await fetch(`${first.functionsUrl}/api/users/p/store-ids`, { method: 'PUT', headers, body: JSON.stringify(keys) });
  process.kill(first.host().pid, 'SIGKILL');
  await expect.poll(() => lost).toEqual(['The functions host SIGKILL']);
  await first.stop();
  expect(alive(first.azurite.pid)).toBe(false);

  for (const [unit, { functions }] of Object.entries(units)) {
    if (!functions.some((name) => ['userStoreIds', 'entitlements', 'openapi'].includes(name))) continue;
    const stack = await startStack({ stateDir, logFile, appDir: join(process.cwd(), 'dist', 'units', unit) });
    expect(stack.host().functions.map(({ name }) => name)).toEqual(functions);
    const ask = (path: string, body?: object) =>
      fetch(`${stack.functionsUrl}${path}`, { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) });
    const answer =
      unit === 'entitlements'
        ? await ask('/api/entitlements/query', { userId: 'p', products: ['A'] })
        : await ask(unit === 'openapi' ? '/api/openapi.json' : '/api/users/p/store-ids');
    const text = await answer.text();
    expect(answer.status, text).toBe(200);
    if (unit === 'user-store-ids') expect(JSON.parse(text).accounts).toHaveLength(1);
    await stack.stop();
  }
});

async function endedBy(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(child, 'exit');
  child.kill(signal);
  return (await ended)[0];
}

test('Ctrl-C ends the demo with all of its processes', async () => {
  const demo = spawn(process.execPath, ['dist/local/demo.js'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const [children] = (await once(demo, 'message')) as [number[]];
  expect(children.map(alive)).toEqual([true, true]);
  expect(await endedBy(demo, 'SIGINT')).toBe(1);
  expect(children.filter(alive)).toEqual([]);
});

test('state that cannot be read, or is of an earlier build, is reported in one line', async () => {
  const stateDir = temporaryFolder();
  writeFileSync(join(stateDir, 'stack.json'), '{');
  await expect(startStack({ stateDir })).rejects.toThrow(/cannot be read. Delete the folder/);
  writeFileSync(join(stateDir, 'stack.json'), '{"identities":{}}');
  await expect(startStack({ stateDir })).rejects.toThrow(/is of another version. Delete the folder/);
});
