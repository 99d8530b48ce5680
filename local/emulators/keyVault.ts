import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { LocalTls } from '../tls.ts';
import { serviceFault, serviceFaults } from './faults.ts';
import { readBody, sendJson, startHttps } from './https.ts';

/** Times are epoch seconds, as in Key Vault's own answers. */
export interface SecretVersion {
  name: string;
  version: string;
  value: string;
  enabled: boolean;
  created: number;
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

/**
 * Emulates Key Vault's secrets: challenge, newest and named versions, the list of versions. `/emulator/`: `PUT secrets/{name}
 * {value, attributes?}`, `POST faults`, `DELETE faults`, `GET state`.
 */
export async function startKeyVault(options: KeyVaultOptions) {
  const { authority, verifyBearer, now = Date.now } = options;
  let versions: SecretVersion[] = [];
  const faults = serviceFaults();
  const state = { reads: 0, challenges: 0 };

  const setSecret = (name: string, value: string, over: { enabled?: boolean; exp?: number } = {}): SecretVersion => {
    const created = Math.floor(now() / 1000);
    const added = { name, version: randomBytes(16).toString('hex'), value, enabled: true, created, ...over };
    versions.push(added);
    return added;
  };
  const bundle = ({ name, version, value, enabled, created, exp }: SecretVersion, withValue: boolean) => ({
    ...(withValue && { value }),
    id: `${server.url}/secrets/${name}/${version}`,
    attributes: { enabled, created, updated: created, ...(exp !== undefined && { exp }), recoveryLevel: 'Recoverable' },
  });

  const answer = (
    method: string,
    path: string,
    query: URLSearchParams,
    body: string,
  ): { status: number; body: unknown } => {
    const [, name = '', version = ''] = /^\/secrets\/([\w-]+)(?:\/([\w]*))?\/?$/.exec(path) ?? [];
    const known = versions.filter((one) => one.name === name);
    if (method === 'PUT' && name !== '') {
      const { value, attributes } = setInput.parse(JSON.parse(body));
      const { enabled = true, exp } = attributes;
      return {
        status: 200,
        body: bundle(setSecret(name, value, { enabled, ...(exp !== undefined && { exp }) }), true),
      };
    }
    if (method !== 'GET' || name === '')
      return { status: 404, body: { error: { code: 'NotFound', message: 'Not found.' } } };
    if (version === 'versions') {
      const from = Number(query.get('$skiptoken') ?? 0);
      const next =
        from + pageSize < known.length ? `${server.url}${path}?$skiptoken=${from + pageSize}&api-version=7.6` : null;
      return {
        status: 200,
        body: { value: known.slice(from, from + pageSize).map((one) => bundle(one, false)), nextLink: next },
      };
    }
    state.reads += 1;
    const found = known.findLast((one) => version === '' || one.version === version);
    if (!found)
      return {
        status: 404,
        body: {
          error: {
            code: 'SecretNotFound',
            message: `A secret with (name/id) ${name} was not found in this key vault.`,
          },
        },
      };
    if (!found.enabled)
      return {
        status: 403,
        body: { error: { code: 'Forbidden', message: 'Operation get is not allowed on a disabled secret.' } },
      };
    return { status: 200, body: bundle(found, true) };
  };

  const control = (method: string, path: string, body: string): unknown => {
    if (method === 'PUT' && path.startsWith('/emulator/secrets/'))
      return answer(method, path.slice('/emulator'.length), new URLSearchParams(), body).body;
    if (method === 'POST' && path === '/emulator/faults') return faults.add(serviceFault.parse(JSON.parse(body)));
    if (method === 'DELETE' && path === '/emulator/faults') return faults.clear();
    if (method === 'GET' && path === '/emulator/state') return state;
    throw new Error(`No ${method} ${path} here.`);
  };

  const server = await startHttps({
    tls: options.tls,
    ...(options.port !== undefined && { port: options.port }),
    handler: async (request, response) => {
      const [path = '/', search = ''] = (request.url ?? '/').split('?', 2);
      const body = (await readBody(request)).toString();
      const method = request.method ?? '';
      if (path.startsWith('/emulator/')) {
        try {
          sendJson(response, 200, control(method, path, body) ?? {});
        } catch (fault) {
          sendJson(response, 400, { error: fault instanceof Error ? fault.message : 'Not understood.' });
        }
        return;
      }
      const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
      const claims = token === undefined ? undefined : verifyBearer(token);
      if (!claims || claims.exp * 1000 <= now() || claims.aud !== 'https://vault.azure.net') {
        state.challenges += 1;
        const challenge = `Bearer authorization="${authority}", resource="https://vault.azure.net"`;
        sendJson(
          response,
          401,
          { error: { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer token.' } },
          { 'www-authenticate': challenge },
        );
        return;
      }
      if (await faults.apply(response)) return;
      const { status, body: reply } = answer(method, path, new URLSearchParams(search), body);
      sendJson(response, status, reply);
    },
  });

  return {
    url: server.url,
    faults,
    state: state as Readonly<typeof state>,
    setSecret,
    exportState: (): SecretVersion[] => structuredClone(versions),
    importState: (saved: SecretVersion[]): void => {
      versions = structuredClone(saved);
    },
    close: server.close,
  };
}

export type RunningKeyVault = Awaited<ReturnType<typeof startKeyVault>>;
