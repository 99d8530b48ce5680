/** The whole stack for one test file, and requests to it. At the end of the file nothing stored, logged or answered may contain a secret. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { type Stack, type StackOptions, startStack } from '../../local/stack.ts';
import { logReader } from '../support/logReader.ts';

export let stack: Stack;
let folder: string;
const responses: string[] = [];
const secrets = new Set<string>();

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are compared with what is expected, member by member.
  body: any;
}

export function useStack(options: StackOptions = {}): void {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'e2e-'));
    const news = logReader(join(folder, 'host.log'));
    let text = '';
    logText = () => {
      text += news();
      return text;
    };
    stack = await startStack({ logFile: join(folder, 'host.log'), timers: false, ...options });
  });
  beforeEach(() => {
    stack.store.control.reset();
    stack.entra.faults.clear();
    stack.keyVault.faults.clear();
  });
  afterAll(async () => {
    const found = secretsIn({
      log: readFileSync(join(folder, 'host.log')),
      responses: Buffer.from(responses.join('\n')),
      ...azuriteFiles(),
    });
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
    expect(found).toEqual([]);
  });
}

/** The functions' log so far. */
export let logText: () => string;

function azuriteFiles(): Record<string, Buffer> {
  const { location } = stack.azurite;
  const files = readdirSync(location, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return Object.fromEntries(
    files
      .filter(({ name }) => name !== 'account.key')
      .map((file) => [file.name, readFileSync(join(file.parentPath, file.name))]),
  );
}

/** Places that contain a secret of this run, or what looks like a JWT. */
function secretsIn(places: Record<string, Buffer>): string[] {
  const { identities, entra, keyVault } = stack;
  const known = [
    identities.publisher.secret,
    identities.own.secret,
    identities.functionKey,
    identities.masterKey,
    ...keyVault.exportState().map(({ value }) => value),
    ...entra.issued,
    ...secrets,
  ];
  expect(known.length).toBeGreaterThan(5);
  return Object.entries(places).flatMap(([place, bytes]) => {
    const text = bytes.toString('latin1');
    const found = known.filter(
      (secret) => text.includes(secret) || text.includes(Buffer.from(secret).toString('base64').replace(/=+$/, '')),
    );
    const jwts = text.match(/eyJ[\w-]{10,}\.[\w-]{10,}/g) ?? [];
    return [...found, ...jwts].map((secret) => `${place}: ${secret.slice(0, 12)}`);
  });
}

/** A request with the function key. */
export async function api(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return apiAt(stack.functionsUrl, method, path, body, headers);
}

/** The same, to another process of the functions. */
export async function apiAt(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await send(url, method, path, body, headers);
  responses.push(answer.text, JSON.stringify([...answer.headers]));
  return answer;
}

/** The same, for the one route whose answer may contain a token. */
export async function rawApi(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return send(stack.functionsUrl, method, path, body, headers);
}

async function send(
  url: string,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { 'x-functions-key': stack.identities.functionKey, ...headers },
    ...(body !== undefined && {
      body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
    }),
  });
  const text = await response.text();
  const json = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : undefined };
}

export interface Keys {
  collectionsId: string;
  purchaseId: string;
}

/** Keys as the game client gets them. */
export function keysOf(user: string, over: object = {}): Keys {
  const keys = stack.store.control.createKeys({ user, ...over }) as Keys;
  for (const key of Object.values(keys)) secrets.add(key);
  return keys;
}

export function xTokenOf(user: string, over: object = {}): { userHash: string; token: string } {
  const xToken = stack.store.control.createXToken({ user, ...over });
  secrets.add(xToken.token);
  return xToken;
}

export const storeIdsPath = (user: string): string => `/api/users/${encodeURIComponent(user)}/store-ids`;

/** A player of the Store whose keys are registered. */
export async function register(user: string, over: object = {}, account?: string): Promise<Keys> {
  const keys = keysOf(user, over);
  const answer = await api('PUT', storeIdsPath(user), { ...keys, ...(account !== undefined && { account }) });
  expect(answer.status, answer.text).toBe(200);
  return keys;
}

export function sell(user: string, productId: string, product: object = {}): { orderId: string } {
  stack.store.control.putProduct(productId, { kind: 'Durable', ...product });
  return stack.store.control.purchase({ user, productId });
}

export const query = (body: object): Promise<Answer> => api('POST', '/api/entitlements/query', body);

/** Starts a run of the recovery timer, and does not wait for it. */
export async function fireRecovery(): Promise<void> {
  const answer = await fetch(`${stack.functionsUrl}/admin/functions/consumeRecovery`, {
    method: 'POST',
    body: '{"input":""}',
    headers: { 'x-functions-key': stack.identities.masterKey, 'content-type': 'application/json' },
  });
  expect(answer.status).toBe(202);
}

/** Runs of the recovery that have ended so far. */
export const runs = (): number => logText().match(/"event":"run(Failed)?"/g)?.length ?? 0;

/** Runs the recovery timer and waits for the end of the run. */
export async function recover(): Promise<void> {
  const before = runs();
  await fireRecovery();
  await expect.poll(runs, { interval: 50 }).toBeGreaterThan(before);
}

/** Requests to the Store for an operation since the start of the test. */
export const asked = (operation: string): number =>
  stack.store.requests.filter((request) => request.operation === operation).length;

export function expectProblem(answer: Answer, status: number, code: string): void {
  expect([answer.status, answer.body?.code], answer.text).toEqual([status, code]);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(answer.body).toMatchObject({ status, type: `/problems/${code}` });
  expect(answer.body.correlationId).toBe(answer.headers.get('x-correlation-id'));
}
