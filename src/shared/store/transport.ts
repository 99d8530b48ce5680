import { EventEmitter } from 'node:events';
import { Agent, type Dispatcher, request } from 'undici';
import type { StoreStatement } from '../contract/problems.ts';
import type { Call, Clock } from '../lib/callContext.ts';
import { faultFields } from '../lib/log.ts';
import { retryAfterOf, statementOf } from './errors.ts';
import { backoffMs, canWait, type RetryRule, retriable } from './retry.ts';

const answerLimit = 8 * 1024 * 1024;
/** Well above the slowest answers of the Store, well below what a caller waits for. */
const attemptTimeoutMs = 10_000;

export interface StoreRequest {
  /** Names the call in the log. */
  operation: string;
  url: string;
  /** `Authorization` and, with an X-token, `Signature`. */
  headers?: Record<string, string>;
  body: unknown;
  retry: RetryRule;
}

/** Whatever status the Store answered with. */
export interface StoreAnswer {
  status: number;
  /** Parsed JSON; undefined if the body is no JSON. */
  body: unknown;
  retryAfterSeconds: number | null;
  /** What it said, fit to be shown and logged. */
  statement: StoreStatement;
}

/** No answer, or none that could be read: what was asked may or may not have happened. */
export class StoreSilence extends Error {
  override readonly name = 'StoreSilence';
}

/** Sends one request, with the retries that its operation declares. @throws StoreSilence */
export type SendToStore = (call: Call, request: StoreRequest) => Promise<StoreAnswer>;

export interface TransportOptions {
  clock: Clock;
  dispatcher?: Dispatcher;
  attemptTimeoutMs?: number;
  random?: () => number;
}

/** The connections to the Store; trusting other authorities than the system's is for tests. */
export function storeAgent(ca?: string): Agent {
  return new Agent({
    connections: 100,
    maxResponseSize: answerLimit,
    connect: { timeout: 5000, ...(ca !== undefined && { ca }) },
  });
}

/** The only place that sends a request to the Microsoft Store: no redirects, a deadline that covers the body, a cap on its size. */
export function storeTransport(options: TransportOptions): SendToStore {
  const { clock, random = Math.random } = options;
  const dispatcher = options.dispatcher ?? storeAgent();
  const longestAttempt = options.attemptTimeoutMs ?? attemptTimeoutMs;

  const attempt = async (call: Call, { operation, url, headers, body }: StoreRequest): Promise<StoreAnswer> => {
    // undici takes an emitter too, which costs a tenth of an AbortController.
    const signal = new EventEmitter();
    const timer = setTimeout(
      () => signal.emit('abort'),
      Math.max(1, Math.min(longestAttempt, call.deadline - clock.now())),
    );
    try {
      const answer = await request(url, {
        dispatcher,
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
        body: JSON.stringify(body),
        signal,
      });
      return readable(answer.statusCode, answer.headers, await answer.body.text());
    } catch (cause) {
      throw cause instanceof StoreSilence ? cause : new StoreSilence(`${operation}: no readable answer`, { cause });
    } finally {
      clearTimeout(timer);
    }
  };

  return async (call, storeRequest) => {
    for (let attempts = 1; ; attempts += 1) {
      const outcome = await attempt(call, storeRequest).catch((silence: StoreSilence) => silence);
      logAttempt(call, storeRequest.operation, attempts, outcome);
      const wait = backoffMs(attempts, retryAfterMs(outcome), random());
      const again =
        attempts < storeRequest.retry.attempts &&
        retriable(outcome instanceof StoreSilence ? 'silence' : outcome.status, storeRequest.retry) &&
        canWait(wait, call.deadline - clock.now());
      if (again) await clock.sleep(wait);
      else if (outcome instanceof StoreSilence) throw outcome;
      else return outcome;
    }
  };
}

function retryAfterMs(outcome: StoreAnswer | StoreSilence): number | null {
  if (outcome instanceof StoreSilence || outcome.retryAfterSeconds === null) return null;
  return outcome.retryAfterSeconds * 1000;
}

function readable(status: number, headers: Dispatcher.ResponseData['headers'], text: string): StoreAnswer {
  const body = jsonOf(text);
  if (status === 200 && body === undefined) throw new StoreSilence('answered 200 without JSON');
  return { status, body, retryAfterSeconds: retryAfterOf(headers), statement: statementOf(status, headers, body) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Gateways answer in HTML, plain text or not at all: without JSON the status alone counts.
    return undefined;
  }
}

function logAttempt(call: Call, operation: string, attempts: number, outcome: StoreAnswer | StoreSilence): void {
  if (outcome instanceof StoreSilence) {
    call.log('warn', 'store.silence', { operation, attempts, ...faultFields(outcome) });
  } else if (outcome.status !== 200) {
    const { code, correlationId, cv } = outcome.statement;
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
