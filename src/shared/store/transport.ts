import type { Dispatcher } from 'undici';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields } from '../lib/log.ts';
import { type Connections, createConnections, type HttpResponse } from './connections.ts';
import { headerOf, retryAfterOf, storeErrorInfo, storeUnavailable } from './errors.ts';
import { isSuccess, NothingSentError, StoreNoResponseError, type StoreResponse } from './response.ts';
import { backoffMs, canWait, isRetriable, leastWorkMs, type RetryPolicy } from './retry.ts';
import { userAgent } from './userAgent.ts';

/** Well above the slowest answers of the Store, well below what a caller waits for. Counted from when the request goes out. */
const attemptTimeoutMs = 10_000;
const connectionWaitMs = 5000;

export interface StoreRequest {
  /** Names the call in the log. */
  operation: string;
  url: string;
  /** `Authorization` and, with an X-token, `Signature`. */
  headers?: Record<string, string>;
  body: unknown;
  retry: RetryPolicy;
}

/**
 * Sends one request, with the retries that its operation declares.
 * @throws StoreNoResponseError: it may have been carried out; NothingSentError: nothing left this service, in no attempt
 */
export type SendToStore = (call: CallContext, request: StoreRequest) => Promise<StoreResponse>;

export interface TransportOptions {
  clock: Clock;
  dispatcher?: Dispatcher;
  /** Requests under way at once, to one host. */
  width?: number;
  attemptTimeoutMs?: number;
  connectionWaitMs?: number;
  random?: () => number;
}

type Outcome = StoreResponse | StoreNoResponseError | NothingSentError;

/** One attempt, and what identifies it to Microsoft support. */
interface Attempt {
  outcome: Outcome;
  requestId: string | null;
}

/** The only place that sends a request to the Microsoft Store: no redirects, a deadline that includes the body, a limit of its size. */
export function createStoreTransport(options: TransportOptions): SendToStore {
  const { clock, random = Math.random } = options;
  const connections = createConnections(options.dispatcher, options.width);
  const limits = {
    attemptMs: options.attemptTimeoutMs ?? attemptTimeoutMs,
    connectionMs: options.connectionWaitMs ?? connectionWaitMs,
  };

  return async (call, request) => {
    const began = clock.now();
    const sent: Attempt[] = [];
    for (;;) {
      const attempt = await attemptOnce(connections, limits, clock, call, request);
      const { outcome } = attempt;
      // What was sent before counts, if this attempt could not be sent.
      if (outcome instanceof NothingSentError) return conclude(call, request, sent, clock.now() - began, attempt);
      sent.push(attempt);
      const wait = backoffMs(sent.length, retryAfterMs(outcome), random());
      const willRetry =
        sent.length < request.retry.attempts &&
        isRetriable(outcome instanceof StoreNoResponseError ? 'noResponse' : outcome.status, request.retry) &&
        canWait(wait, call.deadline - clock.now());
      if (!willRetry) return conclude(call, request, sent, clock.now() - began);
      await clock.sleep(wait);
    }
  };
}

async function attemptOnce(
  connections: Connections,
  limits: { attemptMs: number; connectionMs: number },
  clock: Clock,
  { deadline }: CallContext,
  { operation, url, headers, body }: StoreRequest,
): Promise<Attempt> {
  const worthWaitingMs = deadline - clock.now() - leastWorkMs;
  if (worthWaitingMs < 0) return notSent(`${operation}: too little time for an answer`);
  if (!(await connections.take(url, Math.min(limits.connectionMs, worthWaitingMs)))) {
    return notSent(`${operation}: no connection was free in time`);
  }
  try {
    const response = await connections.post(
      {
        url,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'user-agent': userAgent,
          ...headers,
        },
        body: () => JSON.stringify(body),
      },
      { answerMs: limits.attemptMs, leftMs: () => deadline - clock.now() },
    );
    return { outcome: readResponse(response), requestId: headerOf(response.headers, 'ms-requestid') };
  } catch (cause) {
    const fault = new Error(`${operation}: no readable answer`, { cause });
    return { outcome: new StoreNoResponseError(fault), requestId: null };
  } finally {
    connections.giveBack(url);
  }
}

function notSent(why: string): Attempt {
  return { outcome: new NothingSentError(storeUnavailable({ cause: new Error(why) })), requestId: null };
}

function retryAfterMs(outcome: StoreResponse | StoreNoResponseError): number | null {
  if (outcome instanceof StoreNoResponseError || outcome.retryAfterSeconds === null) return null;
  return outcome.retryAfterSeconds * 1000;
}

/** @throws Error for a success without JSON */
function readResponse({ status, headers, text }: HttpResponse): StoreResponse {
  const body = parseJson(text);
  if (isSuccess({ status }) && body === undefined) throw new Error(`answered ${status} without JSON`);
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

/** Logs the call, and ends it as its last attempt that was sent, or as `unsent` if none was. @throws the error of that attempt */
function conclude(
  call: CallContext,
  { operation }: StoreRequest,
  sent: Attempt[],
  ms: number,
  unsent?: Attempt,
): StoreResponse {
  const last = sent.at(-1) ?? unsent;
  if (!last) throw new Error('a call without an attempt');
  const { outcome, requestId } = last;
  const tried = unsent ? [...sent, unsent] : sent;
  const earlier = tried.filter((one) => one !== last).map((one) => outcomeName(one.outcome));
  const failed = outcome instanceof Error;
  call.log(!failed && isSuccess(outcome) ? 'info' : 'warn', 'store.call', {
    operation,
    outcome: outcomeName(outcome),
    ms,
    attempts: sent.length,
    ...(earlier.length > 0 && { otherAttempts: earlier.join(',') }),
    ...(failed
      ? faultFields(outcome.cause)
      : {
          ...(!isSuccess(outcome) && { code: outcome.error.code }),
          cv: outcome.error.cv,
          storeRequestId: requestId,
          storeCorrelationId: outcome.error.correlationId,
        }),
  });
  if (failed) throw outcome;
  return outcome;
}

function outcomeName(outcome: Outcome): number | 'notSent' | 'noResponse' {
  if (outcome instanceof NothingSentError) return 'notSent';
  return outcome instanceof StoreNoResponseError ? 'noResponse' : outcome.status;
}
