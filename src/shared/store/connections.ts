import { EventEmitter } from 'node:events';
import { Agent, type Dispatcher, request } from 'undici';
import { Slots } from '../lib/slots.ts';
import { TimeoutError } from '../lib/timeout.ts';

const responseLimit = 8 * 1024 * 1024;
/**
 * How many requests are under way at once to one host; the others wait. Renewals have places of their own: while they hang, nobody
 * else's query waits (invariant 11).
 */
const widths = { calls: 100, renewals: 16 };
export type Lane = keyof typeof widths;
/** More than this cannot be served in the time that a request waits. */
const longestLine = 5000;

/** The connections to the Store; trusting other authorities than the system's is for tests. */
export function createStoreAgent(ca?: string): Agent {
  return new Agent({
    connections: widths.calls + widths.renewals,
    maxResponseSize: responseLimit,
    connect: { timeout: 5000, ...(ca !== undefined && { ca }) },
  });
}

export interface HttpRequest {
  url: string;
  headers: Record<string, string>;
  /** Made when there is a connection: what waits costs little memory. */
  body: () => string;
}

export interface HttpResponse {
  status: number;
  headers: Dispatcher.ResponseData['headers'];
  /** The body, or why it could not be read to its end. */
  body: { text: string } | { fault: unknown };
}

/** The request was not written to a connection: none could be made, or not in time. */
export class NotWrittenError extends Error {
  override readonly name = 'NotWrittenError';
}

export interface Connections {
  /** The line before the connections of one lane to the URL's host. Whoever takes a slot gives it back. */
  line(url: string, lane: Lane): Slots;
  /** Sends one request, without redirects. @throws NotWrittenError; Error for no answer, or one that is too late */
  post(request: HttpRequest, time: AnswerTime): Promise<HttpResponse>;
}

export interface AnswerTime {
  /** From when the request is written to a connection until the end of the answer's body. Making a connection is not in it. */
  answerMs: number;
  /** What is left of the call's time; both count. */
  leftMs(): number;
}

/**
 * The line before the connections is here and not in undici's own queue: there a request cannot be told from one that was sent, and
 * cannot leave before it has a connection.
 */
export function createConnections(agent: Dispatcher = createStoreAgent(), width: number = widths.calls): Connections {
  const dispatcher = agent.compose(tellWhenSent);
  const lines = new Map<string, Slots>();
  return {
    line(url, lane) {
      const name = `${lane} ${new URL(url).origin}`;
      const slots = lines.get(name) ?? new Slots(Math.min(width, widths[lane]), longestLine);
      lines.set(name, slots);
      return slots;
    },
    async post({ url, headers, body }, { answerMs, leftMs }) {
      const time = createTimeLimit(leftMs());
      const sent = () => time.written(Math.min(answerMs, leftMs()));
      const options = { dispatcher, method: 'POST', headers, body: body(), signal: time.signal, opaque: sent } as const;
      try {
        // undici does not end a request that has no connection yet: the limit does.
        const response = await Promise.race([request(url, options), time.over]);
        return { status: response.statusCode, headers: response.headers, body: await read(response.body) };
      } catch (cause) {
        throw time.isWritten() ? cause : new NotWrittenError('the request was not written to a connection', { cause });
      } finally {
        time.end();
      }
    },
  };
}

async function read(body: Dispatcher.ResponseData['body']): Promise<HttpResponse['body']> {
  try {
    return { text: await body.text() };
  } catch (fault) {
    return { fault };
  }
}

/** The time of a request: first to get a connection, then, once the request is written to one, for the answer. */
function createTimeLimit(connectionMs: number) {
  // undici takes an emitter as well, at a tenth of the cost of an AbortController.
  const signal = new EventEmitter();
  let phase: 'connecting' | 'written' | 'ended' = 'connecting';
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    signal.once('abort', () => reject(new TimeoutError('the time of the request is over')));
  });
  // It may be over while the body is read, when nobody waits for it here.
  over.catch(() => undefined);
  const start = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => signal.emit('abort'), Math.max(1, ms));
  };
  start(connectionMs);
  return {
    signal,
    over,
    /** A request that has ended is told to undici, which does not write it then. */
    written(ms: number): void {
      if (phase === 'ended') return;
      phase = 'written';
      start(ms);
    },
    isWritten: () => phase === 'written',
    end(): void {
      phase = 'ended';
      clearTimeout(timer);
    },
  };
}

/** Calls the request's `opaque` when it is written to a connection: the time to make one is not the Store's. */
const tellWhenSent: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const start = handler.onRequestStart?.bind(handler);
  handler.onRequestStart = (controller, context) => {
    const { opaque: sent } = options as { opaque?: unknown };
    if (typeof sent === 'function') sent();
    start?.(controller, context);
  };
  return dispatch(options, handler);
};
