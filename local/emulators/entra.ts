import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { type TokenSigner, tokenSigner } from '../jwt.ts';
import type { LocalTls } from '../tls.ts';
import { type ServiceFaults, serviceFault, serviceFaults } from './faults.ts';
import { readBody, sendControlReply, sendJson, startHttps } from './https.ts';

export interface EntraApp {
  clientId: string;
  secrets: string[];
  /** Audiences that this app may ask tokens for. */
  audiences: string[];
}

export interface EntraOptions {
  tls: LocalTls;
  port?: number;
  tenantId: string;
  apps: EntraApp[];
  /** Seconds; default an hour. */
  tokenLifetime?: number;
  now?: () => number;
}

interface Reply {
  status: number;
  body: unknown;
}

/** The three audiences of store-api.md 1.1. */
export const storeAudiences = [
  'https://onestore.microsoft.com',
  'https://onestore.microsoft.com/b2b/keys/create/collections',
  'https://onestore.microsoft.com/b2b/keys/create/purchase',
];
export const azureAudiences = ['https://vault.azure.net', 'https://storage.azure.com'];

const secretsInput = z.strictObject({ secrets: z.array(z.string().min(1)) });
const settingsInput = z.strictObject({ tokenLifetime: z.number().int().positive() });
const tokenPath = /^\/([^/]+)\/oauth2\/v2\.0\/token$/;
const configurationPath = /^\/([^/]+)\/v2\.0\/\.well-known\/openid-configuration$/;

interface EntraState {
  tenantId: string;
  apps: EntraApp[];
  now: () => number;
  signer: TokenSigner;
  faults: ServiceFaults;
  /** Every token that was issued. */
  issued: string[];
  counters: { tokenRequests: number; refused: number; tokenLifetime: number };
}

/**
 * Emulates Entra's token endpoint for apps with a secret. `/emulator/`: `PUT apps/{clientId}/secrets {secrets}`,
 * `PUT settings {tokenLifetime}`, `POST faults`, `DELETE faults`, `GET state`.
 */
export async function startEntra(options: EntraOptions) {
  const { tls, port, tenantId, apps, tokenLifetime = 3600, now = Date.now } = options;
  const entra: EntraState = {
    tenantId,
    apps,
    now,
    signer: tokenSigner(),
    faults: serviceFaults(),
    issued: [],
    counters: { tokenRequests: 0, refused: 0, tokenLifetime },
  };
  const server = await startHttps({
    tls,
    ...(port !== undefined && { port }),
    handler: (request, response) => handle(entra, server.url, request, response),
  });
  return {
    url: server.url,
    faults: entra.faults,
    state: entra.counters as Readonly<typeof entra.counters>,
    /** Every token that was issued: tests search for them where no token may be. */
    issued: entra.issued as readonly string[],
    setSecrets: (clientId: string, secrets: string[]): void => setSecrets(entra, clientId, secrets),
    exportSecrets: (): Record<string, string[]> =>
      Object.fromEntries(apps.map(({ clientId, secrets }) => [clientId, [...secrets]])),
    setTokenLifetime(seconds: number): void {
      entra.counters.tokenLifetime = seconds;
    },
    /** What a genuine token says; undefined for anything else. Does not check its expiry. */
    verify(bearer: string): { appid: string; aud: string; exp: number } | undefined {
      const claims = entra.signer.read(bearer);
      return claims && { appid: String(claims.appid), aud: String(claims.aud), exp: Number(claims.exp) };
    },
    close: server.close,
  };
}

async function handle(
  entra: EntraState,
  url: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '' } = request;
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const text = (await readBody(request)).toString();
  if (path.startsWith('/emulator/')) {
    sendControlReply(response, () => control(entra, method, path, text === '' ? {} : JSON.parse(text)));
    return;
  }
  if (await entra.faults.apply(response)) return;
  const { status, body } = reply(entra, url, method, path, text);
  sendJson(response, status, body);
}

function reply(entra: EntraState, url: string, method: string, path: string, text: string): Reply {
  const tenant = tokenPath.exec(path)?.[1];
  if (tenant !== undefined && method === 'POST') return token(entra, tenant, new URLSearchParams(text));
  const configured = configurationPath.exec(path)?.[1];
  if (configured === entra.tenantId) return { status: 200, body: configurationOf(url, entra.tenantId) };
  if (configured !== undefined) return refusal(entra, 400, 'invalid_tenant', 90002, 'Tenant not found.');
  return { status: 404, body: { error: 'not_found' } };
}

function token(entra: EntraState, tenant: string, form: URLSearchParams): Reply {
  const { tenantId, apps, counters } = entra;
  counters.tokenRequests += 1;
  const app = apps.find(({ clientId }) => clientId === form.get('client_id'));
  const audience = (form.get('scope') ?? '').split(' ')[0]?.replace(/\/\.default$/, '') ?? '';
  if (tenant !== tenantId) return refusal(entra, 400, 'invalid_request', 90002, 'Tenant not found.');
  if (form.get('grant_type') !== 'client_credentials')
    return refusal(entra, 400, 'unsupported_grant_type', 70003, 'The grant type is not supported.');
  if (!app) return refusal(entra, 400, 'unauthorized_client', 700016, 'Application was not found in the directory.');
  if (!app.secrets.some((secret) => isSameSecret(secret, form.get('client_secret') ?? '')))
    return refusal(entra, 401, 'invalid_client', 7000215, 'Invalid client secret provided.');
  if (!app.audiences.includes(audience))
    return refusal(entra, 400, 'invalid_scope', 70011, 'The provided value for scope is not valid.');
  return {
    status: 200,
    body: {
      token_type: 'Bearer',
      expires_in: counters.tokenLifetime,
      ext_expires_in: counters.tokenLifetime,
      access_token: issueToken(entra, app.clientId, audience),
    },
  };
}

function issueToken({ tenantId, now, signer, issued, counters }: EntraState, appid: string, audience: string): string {
  const iat = Math.floor(now() / 1000);
  const accessToken = signer.sign({
    aud: audience,
    iss: `https://sts.windows.net/${tenantId}/`,
    iat,
    nbf: iat,
    exp: iat + counters.tokenLifetime,
    appid,
    tid: tenantId,
    ver: '1.0',
    uti: String(counters.tokenRequests),
  });
  issued.push(accessToken);
  return accessToken;
}

function refusal(entra: EntraState, status: number, error: string, code: number, text: string): Reply {
  entra.counters.refused += 1;
  const timestamp = new Date(entra.now()).toISOString();
  return { status, body: { error, error_description: `AADSTS${code}: ${text}`, error_codes: [code], timestamp } };
}

function control(entra: EntraState, method: string, path: string, body: unknown): unknown {
  const { faults, counters } = entra;
  const clientId = /^\/emulator\/apps\/([^/]+)\/secrets$/.exec(path)?.[1];
  if (method === 'PUT' && clientId !== undefined) return setSecrets(entra, clientId, secretsInput.parse(body).secrets);
  if (method === 'PUT' && path === '/emulator/settings') return Object.assign(counters, settingsInput.parse(body));
  if (method === 'POST' && path === '/emulator/faults') return faults.add(serviceFault.parse(body));
  if (method === 'DELETE' && path === '/emulator/faults') return faults.clear();
  if (method === 'GET' && path === '/emulator/state') return counters;
  throw new Error(`No ${method} ${path} here.`);
}

function setSecrets({ apps }: EntraState, clientId: string, secrets: string[]): void {
  const app = apps.find((one) => one.clientId === clientId);
  if (!app) throw new Error(`No app ${clientId} here.`);
  app.secrets = secrets;
}

export type RunningEntra = Awaited<ReturnType<typeof startEntra>>;

function isSameSecret(secret: string, given: string): boolean {
  const a = Buffer.from(secret);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What MSAL asks for when the authority is not one that it knows. */
function configurationOf(url: string, tenantId: string) {
  return {
    issuer: `${url}/${tenantId}/v2.0`,
    authorization_endpoint: `${url}/${tenantId}/oauth2/v2.0/authorize`,
    token_endpoint: `${url}/${tenantId}/oauth2/v2.0/token`,
    jwks_uri: `${url}/${tenantId}/discovery/v2.0/keys`,
  };
}
