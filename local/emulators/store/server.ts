import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBody, startHttps } from '../https.ts';
import type { VerifyBearer } from './auth.ts';
import { type Control, type ControlContext, createControl } from './control.ts';
import { controlReply } from './controlRoutes.ts';
import { type ErrorSource, errorReply, invalidParameter, type Reply, StoreError } from './errors.ts';
import { acts, faultedReply, sendReply, takeFault } from './faults.ts';
import { type RecordedRequest, remember, safeHeaderValues, withoutSecrets } from './recorder.ts';
import { type Endpoint, endpoints } from './routes.ts';
import type { KeyKind } from './types.ts';
import { createWorld, restoreWorld, type SavedWorld, saveWorld, type World } from './world.ts';

const bodyLimit = 1024 * 1024;
const sources: Record<KeyKind, ErrorSource> = { collections: 'CollectionsFD', purchase: 'PurchaseFD' };

export interface StoreOptions {
  tls: { cert: string; key: string };
  /** Default: any free port. */
  collectionsPort?: number;
  purchasePort?: number;
  verifyBearer: VerifyBearer;
  /** ms since 1970; default the clock of the machine. */
  now?: () => number;
  /** The app whose products these are: other apps' queries find none of them. */
  publisherClientId: string;
}

interface StoreServer {
  world: World;
  context: ControlContext;
  control: Control;
  verify: VerifyBearer;
}

type Body = { text: string } | { tooLarge: true };

/** A request to an operation of the Store. */
interface StoreRequest {
  host: KeyKind;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Body;
  endpoint: Endpoint | undefined;
}

/**
 * Starts the emulated Microsoft Store: two https listeners on localhost, one for each host of the real one. Rejects if a port
 * is in use. `close` ends all connections, endless bodies included.
 */
export async function startStore(options: StoreOptions) {
  const { tls, collectionsPort, purchasePort, verifyBearer, publisherClientId, now = Date.now } = options;
  const world = createWorld(publisherClientId, now);
  const context: ControlContext = { world, faults: [], requests: [], counters: new Map() };
  const control = createControl(context);
  const store = { world, context, control, verify: verifyBearer };

  const collections = await startHttps({
    tls,
    ...(collectionsPort !== undefined && { port: collectionsPort }),
    handler: (request, response) => handle(store, 'collections', request, response),
  });
  const purchase = await startHttps({
    tls,
    ...(purchasePort !== undefined && { port: purchasePort }),
    handler: (request, response) => handle(store, 'purchase', request, response),
  }).catch(async (error: unknown) => {
    await collections.close();
    throw error;
  });

  return {
    collectionsUrl: collections.url,
    purchaseUrl: purchase.url,
    control,
    /** Store requests, oldest first, without secrets. `control.reset()` empties it. */
    requests: context.requests as readonly RecordedRequest[],
    exportState: (): SavedWorld => structuredClone(saveWorld(world)),
    importState: (saved: SavedWorld): void => restoreWorld(world, structuredClone(saved)),
    async close(): Promise<void> {
      await Promise.all([collections.close(), purchase.close()]);
    },
  };
}

async function handle(
  store: StoreServer,
  host: KeyKind,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '', headers } = request;
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  let body: Body;
  try {
    body = { text: (await readBody(request, bodyLimit)).toString() };
  } catch {
    // Over the limit, or the caller went away while sending: then nobody reads this answer.
    body = { tooLarge: true };
  }
  if (path.startsWith('/emulator/')) {
    sendReply(response, controlOver(store.control, method, path, body), {}, undefined);
    return;
  }
  const endpoint = endpoints[host].get(path);
  await answer(store, { host, method, path, headers, body, endpoint }, response);
}

function controlOver(control: Control, method: string, path: string, body: Body): Reply {
  try {
    return controlReply(control, method, path, parseBody(body));
  } catch (error) {
    if (error instanceof StoreError) return { status: error.status, body: { error: error.message } };
    throw error;
  }
}

/** Records the request, performs it as far as its fault allows, answers. */
async function answer(store: StoreServer, request: StoreRequest, response: ServerResponse): Promise<void> {
  const started = performance.now();
  const { context, world } = store;
  const { host } = request;
  const operation = request.endpoint?.operation ?? 'unknown';
  context.counters.set(operation, (context.counters.get(operation) ?? 0) + 1);
  const fault = takeFault(context.faults, operation);
  const acted = acts(fault);
  const record = recordOf(request, { acted, faultId: fault?.id, at: world.now() });
  remember(context.requests, record);

  if (fault?.latencyMs) await sleep(fault.latencyMs);
  const real = acted ? act(store, request) : undefined;
  if (fault?.answerLatencyMs) await sleep(fault.answerLatencyMs);
  record.durationMs = Math.round(performance.now() - started);
  if (fault?.dropRequest || fault?.dropResponse || response.destroyed) {
    response.destroy();
    return;
  }
  const reply = faultedReply(fault, real, sources[host]);
  record.status = reply.status;
  sendReply(response, reply, callHeaders(), fault);
}

function recordOf(
  { host, method, path, headers, body, endpoint }: StoreRequest,
  { acted, faultId, at }: { acted: boolean; faultId: string | undefined; at: number },
): RecordedRequest {
  return {
    operation: endpoint?.operation ?? 'unknown',
    host,
    method,
    path,
    headerNames: Object.keys(headers),
    headers: safeHeaderValues(headers),
    body: shownBody(body),
    status: null,
    acted,
    ...(faultId !== undefined && { faultId }),
    at: new Date(at).toISOString(),
    durationMs: 0,
  };
}

function act({ world, verify }: StoreServer, { host, method, headers, body, endpoint }: StoreRequest): Reply {
  try {
    if (!endpoint) throw new StoreError(404, 'NotFound', 'There is nothing at this address.');
    if (endpoint.method !== method)
      throw new StoreError(405, 'MethodNotAllowed', `Use ${endpoint.method}.`, {
        headers: { allow: endpoint.method },
      });
    const parsed = parseBody(body);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      throw invalidParameter(['body'], 'The body is not a JSON object.');
    return endpoint.act({
      world,
      verify,
      authorization: headers.authorization,
      body: parsed as Record<string, unknown>,
    });
  } catch (error) {
    if (error instanceof StoreError) return errorReply(error, sources[host]);
    console.error('The Store emulator failed:', error);
    return errorReply(new StoreError(500, 'InternalServerError', 'The emulator failed.'), sources[host]);
  }
}

export type RunningStore = Awaited<ReturnType<typeof startStore>>;

function parseBody(body: Body): unknown {
  if ('tooLarge' in body) throw new StoreError(413, 'RequestEntityTooLarge', `At most ${bodyLimit} bytes.`);
  if (body.text === '') return {};
  try {
    return JSON.parse(body.text);
  } catch {
    throw invalidParameter(['body'], 'The body is not JSON.');
  }
}

function shownBody(body: Body): unknown {
  try {
    return withoutSecrets(parseBody(body));
  } catch {
    // What is no JSON may be a part of a key: its length is all that can be shown.
    return 'text' in body ? `<${body.text.length} characters, not JSON>` : '<too large>';
  }
}

/** What identifies a call to Microsoft support (store-api.md 2.5). */
function callHeaders(): Record<string, string> {
  return {
    'MS-CorrelationId': randomUUID(),
    'MS-RequestId': randomUUID(),
    'MS-CV': `${randomBytes(16).toString('base64url')}.0`,
  };
}
