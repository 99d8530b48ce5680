import { EventEmitter } from 'node:events';
import { Agent, type Dispatcher, request } from 'undici';
import { Slots } from '../lib/slots.ts';

const responseLimit = 8 * 1024 * 1024;
/** To one host. As many requests are under way at once; the others wait for a connection. */
const connectionsPerHost = 100;
/** More than this cannot be served in the time that a request waits. */
const longestLine = 5000;

/** The connections to the Store; trusting other authorities than the system's is for tests. */
export function createStoreAgent(ca?: string): Agent {
  return new Agent({
    connections: connectionsPerHost,
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
  text: string;
}

export interface Connections {
  /** Waits at most `ms` for the right to use a connection to the URL's host. Whoever gets it calls `giveBack`. */
  take(url: string, ms: number): Promise<boolean>;
  giveBack(url: string): void;
  /** Sends one request, without redirects. @throws Error for no answer, or one that is too long, too late or cut off */
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
export function createConnections(
  agent: Dispatcher = createStoreAgent(),
  width: number = connectionsPerHost,
): Connections {
  const dispatcher = agent.compose(tellWhenSent);
  const hosts = new Map<string, Slots>();
  const slotsOf = (url: string): Slots => {
    const { origin } = new URL(url);
    const slots = hosts.get(origin) ?? new Slots(width, longestLine);
    hosts.set(origin, slots);
    return slots;
  };
  return {
    take: (url, ms) => slotsOf(url).take(ms),
    giveBack: (url) => slotsOf(url).giveBack(),
    async post({ url, headers, body }, { answerMs, leftMs }) {
      // undici takes an emitter as well, at a tenth of the cost of an AbortController.
      const signal = new EventEmitter();
      const abort = () => signal.emit('abort');
      let timer = setTimeout(abort, Math.max(1, leftMs()));
      const sent = () => {
        clearTimeout(timer);
        timer = setTimeout(abort, Math.max(1, Math.min(answerMs, leftMs())));
      };
      try {
        const options = { dispatcher, method: 'POST', headers, body: body(), signal, opaque: sent } as const;
        const response = await request(url, options);
        return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
      } finally {
        clearTimeout(timer);
      }
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
