import { EventEmitter } from 'node:events';
import { Agent, type Dispatcher, request } from 'undici';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields } from '../lib/log.ts';
import { retryAfterOf, storeErrorInfo } from './errors.ts';
import { StoreNoResponseError, type StoreResponse } from './response.ts';
import { backoffMs, canWait, isRetriable, type RetryPolicy } from './retry.ts';

const responseLimit = 8 * 1024 * 1024;
/** Well above the slowest answers of the Store, well below what a caller waits for. */
const attemptTimeoutMs = 10_000;

export interface StoreRequest {
  /** Names the call in the log. */
  operation: string;
  url: string;
  /** `Authorization` and, with an X-token, `Signature`. */
  headers?: Record<string, string>;
  body: unknown;
  retry: RetryPolicy;
}

/** Sends one request, with the retries that its operation declares. @throws StoreNoResponseError */
export type SendToStore = (call: CallContext, request: StoreRequest) => Promise<StoreResponse>;

export interface TransportOptions {
  clock: Clock;
  dispatcher?: Dispatcher;
  attemptTimeoutMs?: number;
  random?: () => number;
}

/** The connections to the Store; trusting other authorities than the system's is for tests. */
export function createStoreAgent(ca?: string): Agent {
  return new Agent({
    connections: 100,
    maxResponseSize: responseLimit,
    connect: { timeout: 5000, ...(ca !== undefined && { ca }) },
  });
}

/** The only place that sends a request to the Microsoft Store: no redirects, a deadline that includes the body, a limit of its size. */
export function createStoreTransport(options: TransportOptions): SendToStore {
  const { clock, random = Math.random } = options;
  const dispatcher = options.dispatcher ?? createStoreAgent();
  const longestAttemptMs = options.attemptTimeoutMs ?? attemptTimeoutMs;

  return async (call, storeRequest) => {
    for (let attempts = 1; ; attempts += 1) {
      const timeoutMs = Math.max(1, Math.min(longestAttemptMs, call.deadline - clock.now()));
      const outcome = await sendOnce(dispatcher, storeRequest, timeoutMs);
      logAttempt(call, storeRequest.operation, attempts, outcome);
      const noResponse = outcome instanceof StoreNoResponseError;
      const wait = backoffMs(attempts, retryAfterMs(outcome), random());
      const willRetry =
        attempts < storeRequest.retry.attempts &&
        isRetriable(noResponse ? 'noResponse' : outcome.status, storeRequest.retry) &&
        canWait(wait, call.deadline - clock.now());
      if (willRetry) await clock.sleep(wait);
      else if (noResponse) throw outcome;
      else return outcome;
    }
  };
}

async function sendOnce(
  dispatcher: Dispatcher,
  { operation, url, headers, body }: StoreRequest,
  timeoutMs: number,
): Promise<StoreResponse | StoreNoResponseError> {
  // undici takes an emitter as well, at a tenth of the cost of an AbortController.
  const signal = new EventEmitter();
  const timer = setTimeout(() => signal.emit('abort'), timeoutMs);
  try {
    const response = await request(url, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body: JSON.stringify(body),
      signal,
    });
    return readResponse(response.statusCode, response.headers, await response.body.text());
  } catch (cause) {
    return new StoreNoResponseError(new Error(`${operation}: no readable answer`, { cause }));
  } finally {
    clearTimeout(timer);
  }
}

function retryAfterMs(outcome: StoreResponse | StoreNoResponseError): number | null {
  if (outcome instanceof StoreNoResponseError || outcome.retryAfterSeconds === null) return null;
  return outcome.retryAfterSeconds * 1000;
}

/** @throws Error for a 200 without JSON */
function readResponse(status: number, headers: Dispatcher.ResponseData['headers'], text: string): StoreResponse {
  const body = parseJson(text);
  if (status === 200 && body === undefined) throw new Error('answered 200 without JSON');
  return { status, body, retryAfterSeconds: retryAfterOf(headers), error: storeErrorInfo(status, headers, body) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Gateways answer in HTML, plain text or not at all: without JSON the status alone counts.
    return undefined;
  }
}

function logAttempt(
  call: CallContext,
  operation: string,
  attempts: number,
  outcome: StoreResponse | StoreNoResponseError,
): void {
  if (outcome instanceof StoreNoResponseError) {
    call.log('warn', 'store.noResponse', { operation, attempts, ...faultFields(outcome.cause) });
  } else if (outcome.status !== 200) {
    const { code, correlationId, cv } = outcome.error;
    call.log('warn', 'store.refusal', {
      operation,
      attempts,
      status: outcome.status,
      code,
      storeCorrelationId: correlationId,
      cv,
    });
  }
}
