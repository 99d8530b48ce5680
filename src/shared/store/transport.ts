import type { Dispatcher } from 'undici';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields } from '../lib/log.ts';
import { type Connections, createConnections, type HttpResponse, type Lane, NotWrittenError } from './connections.ts';
import { headerOf, retryAfterOf, storeErrorInfo, storeUnavailable } from './errors.ts';
import {
  isSuccess,
  NothingSentError,
  StoreNoResponseError,
  StoreNotReachedError,
  type StoreResponse,
} from './response.ts';
import { backoffMs, canWait, isRetriable, leastWorkMs, type RetryPolicy } from './retry.ts';
import { userAgent } from './userAgent.ts';

/** Well above the slowest answers of the Store, well below what a caller waits for. Counted from when the request goes out. */
const attemptTimeoutMs = 10_000;
const connectionWaitMs = 5000;
/** A renewal that gets no connection mostly need not be: the old key serves until it expires. */
const renewalWaitMs = 1000;

export interface StoreRequest {
  /** Names the call in the log. */
  operation: string;
  url: string;
  /** `Authorization` and, with an X-token, `Signature`. */
  headers?: Record<string, string>;
  body: unknown;
  retry: RetryPolicy;
  /** Which connections it takes; default `calls`. */
  lane?: Lane;
}

/**
 * Sends one request, with the retries that its operation declares.
 * @throws StoreNoResponseError: it may have been carried out; NothingSentError: nothing left this service, in no attempt
 * (StoreNotReachedError: no connection could be made)
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

/** One attempt, and what identifies its answer to Microsoft support. */
interface Attempt {
  outcome: Outcome;
  ids: { cv: string | null; storeRequestId: string | null; storeCorrelationId: string | null };
}

const noIds: Attempt['ids'] = { cv: null, storeRequestId: null, storeCorrelationId: null };

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
    const tried: Attempt[] = [];
    for (;;) {
      const attempt = await attemptOnce(connections, limits, clock, call, request);
      tried.push(attempt);
      const wait = backoffMs(tried.length, retryAfterMs(attempt.outcome), random());
      const willRetry =
        tried.length < request.retry.attempts &&
        mayRetry(attempt.outcome, request.retry) &&
        canWait(wait, call.deadline - clock.now());
      if (!willRetry) return conclude(call, request, tried, clock.now() - began);
      await clock.sleep(wait);
    }
  };
}

/** An overload of this service, or a lack of time, does not end by asking again. */
function mayRetry(outcome: Outcome, policy: RetryPolicy): boolean {
  if (outcome instanceof NothingSentError && !(outcome instanceof StoreNotReachedError)) return false;
  return isRetriable(outcome instanceof Error ? 'noResponse' : outcome.status, policy);
}

async function attemptOnce(
  connections: Connections,
  limits: { attemptMs: number; connectionMs: number },
  clock: Clock,
  { deadline }: CallContext,
  { operation, url, headers, body, lane = 'calls' }: StoreRequest,
): Promise<Attempt> {
  const worthWaitingMs = deadline - clock.now() - leastWorkMs;
  if (worthWaitingMs < 0) return notSent(`${operation}: too little time for an answer`);
  const line = connections.line(url, lane);
  const longestWaitMs = lane === 'renewals' ? Math.min(limits.connectionMs, renewalWaitMs) : limits.connectionMs;
  if (!(await line.take(Math.min(longestWaitMs, worthWaitingMs)))) {
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
    return { outcome: outcomeOf(operation, response), ids: idsOf(response) };
  } catch (cause) {
    const outcome = cause instanceof NotWrittenError ? notReached(operation, cause) : noAnswer(operation, cause);
    return { outcome, ids: noIds };
  } finally {
    line.giveBack();
  }
}

function notSent(why: string): Attempt {
  return { outcome: new NothingSentError(storeUnavailable({ cause: new Error(why) })), ids: noIds };
}

function notReached(operation: string, cause: unknown): StoreNotReachedError {
  return new StoreNotReachedError(
    storeUnavailable({ cause: new Error(`${operation}: no connection could be made`, { cause }) }),
  );
}

function noAnswer(operation: string, cause: unknown): StoreNoResponseError {
  return new StoreNoResponseError(new Error(`${operation}: no readable answer`, { cause }));
}

function retryAfterMs(outcome: Outcome): number | null {
  if (outcome instanceof Error || outcome.retryAfterSeconds === null) return null;
  return outcome.retryAfterSeconds * 1000;
}

/** The headers name the call also if its body cannot be read. */
function idsOf({ headers }: HttpResponse): Attempt['ids'] {
  return {
    cv: headerOf(headers, 'ms-cv'),
    storeRequestId: headerOf(headers, 'ms-requestid'),
    storeCorrelationId: headerOf(headers, 'ms-correlationid'),
  };
}

function outcomeOf(operation: string, { status, headers, body: received }: HttpResponse): Outcome {
  if ('fault' in received) return noAnswer(operation, received.fault);
  const body = parseJson(received.text);
  if (isSuccess({ status }) && body === undefined) {
    return noAnswer(operation, new Error(`answered ${status} without JSON`));
  }
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

/** Logs the call, and ends it as its last attempt that was sent, or as its last one if none was. @throws the error of that attempt */
function conclude(call: CallContext, { operation }: StoreRequest, tried: Attempt[], ms: number): StoreResponse {
  const sent = tried.filter(({ outcome }) => !(outcome instanceof NothingSentError));
  const last = sent.at(-1) ?? tried.at(-1);
  if (!last) throw new Error('a call without an attempt');
  const { outcome, ids } = last;
  const others = tried.filter((one) => one !== last).map((one) => outcomeName(one.outcome));
  const failed = outcome instanceof Error;
  call.log(!failed && isSuccess(outcome) ? 'info' : 'warn', 'store.call', {
    operation,
    outcome: outcomeName(outcome),
    ms,
    attempts: sent.length,
    ...(others.length > 0 && { otherAttempts: others.join(',') }),
    ...(failed && faultFields(outcome.cause)),
    ...(!failed && !isSuccess(outcome) && { code: outcome.error.code }),
    ...(sent.length > 0 && ids),
  });
  if (failed) throw outcome;
  return outcome;
}

function outcomeName(outcome: Outcome): number | 'notSent' | 'noResponse' {
  if (outcome instanceof NothingSentError) return 'notSent';
  return outcome instanceof StoreNoResponseError ? 'noResponse' : outcome.status;
}
