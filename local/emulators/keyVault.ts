import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { LocalTls } from '../tls.ts';
import { type ServiceFaults, serviceFault, serviceFaults } from './faults.ts';
import { readBody, sendControlReply, sendJson, startHttps } from './https.ts';

/** Times are epoch seconds, as in Key Vault's own answers. */
export interface SecretVersion {
  name: string;
  version: string;
  value: string;
  enabled: boolean;
  created: number;
  exp?: number;
}

interface SecretAttributes {
  enabled?: boolean;
  created?: number;
  exp?: number;
}

export interface KeyVaultOptions {
  tls: LocalTls;
  port?: number;
  /** Where the challenge sends a client for its token. */
  authority: string;
  verifyBearer: (token: string) => { aud: string; exp: number } | undefined;
  now?: () => number;
}

const setInput = z.strictObject({
  value: z.string(),
  attributes: z.looseObject({ enabled: z.boolean().optional(), exp: z.number().optional() }).default({}),
});
const pageSize = 25;

interface VaultState {
  url: string;
  versions: SecretVersion[];
  /** `requests`: all but those to the control API. */
  counters: { requests: number; reads: number; challenges: number };
  faults: ServiceFaults;
  now: () => number;
}

interface Reply {
  status: number;
  body: unknown;
}

/**
 * Emulates Key Vault's secrets: challenge, newest and named versions, the list of versions. `/emulator/`: `PUT secrets/{name}
 * {value, attributes?}`, `POST faults`, `DELETE faults`, `GET state`.
 */
export async function startKeyVault(options: KeyVaultOptions) {
  const { tls, port, now = Date.now } = options;
  const vault: VaultState = {
    url: '',
    versions: [],
    counters: { requests: 0, reads: 0, challenges: 0 },
    faults: serviceFaults(),
    now,
  };
  const server = await startHttps({
    tls,
    ...(port !== undefined && { port }),
    handler: (request, response) => handle(vault, options, request, response),
  });
  vault.url = server.url;
  return {
    url: server.url,
    faults: vault.faults,
    state: vault.counters as Readonly<typeof vault.counters>,
    setSecret: (name: string, value: string, over: SecretAttributes = {}): SecretVersion =>
      setSecret(vault, name, value, over),
    exportState: (): SecretVersion[] => structuredClone(vault.versions),
    importState: (saved: SecretVersion[]): void => {
      vault.versions = structuredClone(saved);
    },
    close: server.close,
  };
}

async function handle(
  vault: VaultState,
  options: KeyVaultOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '' } = request;
  const [path = '/', search = ''] = (request.url ?? '/').split('?', 2);
  const body = (await readBody(request)).toString();
  if (path.startsWith('/emulator/')) {
    sendControlReply(response, () => control(vault, method, path, body));
    return;
  }
  vault.counters.requests += 1;
  const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const claims = token === undefined ? undefined : options.verifyBearer(token);
  if (!claims || claims.exp * 1000 <= vault.now() || claims.aud !== 'https://vault.azure.net') {
    vault.counters.challenges += 1;
    sendJson(
      response,
      401,
      { error: { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer token.' } },
      { 'www-authenticate': `Bearer authorization="${options.authority}", resource="https://vault.azure.net"` },
    );
    return;
  }
  if (await vault.faults.apply(response)) return;
  const reply = answer(vault, method, path, new URLSearchParams(search), body);
  sendJson(response, reply.status, reply.body);
}

function control(vault: VaultState, method: string, path: string, body: string): unknown {
  const { faults, counters } = vault;
  if (method === 'PUT' && path.startsWith('/emulator/secrets/'))
    return answer(vault, method, path.slice('/emulator'.length), new URLSearchParams(), body).body;
  if (method === 'POST' && path === '/emulator/faults') return faults.add(serviceFault.parse(JSON.parse(body)));
  if (method === 'DELETE' && path === '/emulator/faults') return faults.clear();
  if (method === 'GET' && path === '/emulator/state') return counters;
  throw new Error(`No ${method} ${path} here.`);
}

function answer(vault: VaultState, method: string, path: string, query: URLSearchParams, body: string): Reply {
  const [, name = '', version = ''] = /^\/secrets\/([\w-]+)(?:\/([\w]*))?\/?$/.exec(path) ?? [];
  if (method === 'PUT' && name !== '') {
    const { value, attributes } = setInput.parse(JSON.parse(body));
    const { enabled = true, exp } = attributes;
    const added = setSecret(vault, name, value, { enabled, ...(exp !== undefined && { exp }) });
    return { status: 200, body: bundle(vault, added, true) };
  }
  if (method !== 'GET' || name === '') return refusal(404, 'NotFound', 'Not found.');
  if (version === 'versions') return versionsPage(vault, path, name, Number(query.get('$skiptoken') ?? 0));
  vault.counters.reads += 1;
  const found = versionsOf(vault, name).findLast((one) => version === '' || one.version === version);
  if (!found) return refusal(404, 'SecretNotFound', `A secret with (name/id) ${name} was not found in this key vault.`);
  if (!found.enabled) return refusal(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.');
  return { status: 200, body: bundle(vault, found, true) };
}

function versionsPage(vault: VaultState, path: string, name: string, from: number): Reply {
  const versions = versionsOf(vault, name);
  const next = from + pageSize;
  const nextLink = next < versions.length ? `${vault.url}${path}?$skiptoken=${next}&api-version=7.6` : null;
  return {
    status: 200,
    body: { value: versions.slice(from, next).map((one) => bundle(vault, one, false)), nextLink },
  };
}

function versionsOf({ versions }: VaultState, name: string): SecretVersion[] {
  return versions.filter((one) => one.name === name);
}

function setSecret(vault: VaultState, name: string, value: string, over: SecretAttributes): SecretVersion {
  const created = Math.floor(vault.now() / 1000);
  const added = { name, version: randomBytes(16).toString('hex'), value, enabled: true, created, ...over };
  vault.versions.push(added);
  return added;
}

function bundle(vault: VaultState, secret: SecretVersion, withValue: boolean) {
  const { name, version, value, enabled, created, exp } = secret;
  return {
    ...(withValue && { value }),
    id: `${vault.url}/secrets/${name}/${version}`,
    attributes: { enabled, created, updated: created, ...(exp !== undefined && { exp }), recoveryLevel: 'Recoverable' },
  };
}

function refusal(status: number, code: string, message: string): Reply {
  return { status, body: { error: { code, message } } };
}

export type RunningKeyVault = Awaited<ReturnType<typeof startKeyVault>>;
