import { randomUUID } from 'node:crypto';
import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import type * as z from 'zod';
import { Problem, problemCodes } from '../contract/problems.ts';
import type { HttpContract, Method, Operation } from '../contract/route.ts';
import { type Call, systemClock } from '../lib/callContext.ts';
import { faultFields, type LogFields, type LogLevel, structuredLog } from '../lib/log.ts';
import { inTime, TimedOut } from '../lib/timeout.ts';
import { bodyOf, fieldErrors, invalid, isEmptyBody, queryOf } from './input.ts';

/** What is left for the work when an answer is due within 60 s: the rest is for reading the request and writing the answer. */
const workMs = 50_000;
/** The last resort, should waits that have their own limits add up: the work goes on, and its record tells what became of it. */
const answerMs = 58_000;
const chosenCorrelationId = /^[\x21-\x7e]{1,128}$/;

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : Record<string, never>;

/** What a handler gets of the request, parsed by the schemas of its operation. */
export interface Input<Op extends Operation> {
  path: Op extends { path: infer Schema } ? Parsed<Schema> : Record<string, never>;
  query: Op extends { query: infer Schema } ? Parsed<Schema> : Record<string, never>;
  body: Op extends { body: infer Schema } ? Parsed<Schema> : Record<string, never>;
}

export interface Answer {
  /** Default 200. */
  status?: number;
  headers?: Record<string, string>;
  /** Sent as JSON; absent for 204. */
  body?: unknown;
}

type OperationOf<Contract extends HttpContract, Verb> = Extract<Contract['operations'][number], { method: Verb }>;

type Handlers<Contract extends HttpContract> = {
  [Verb in Contract['operations'][number]['method']]: (
    input: Input<OperationOf<Contract, Verb>>,
    call: Call,
  ) => Promise<Answer>;
};

/** Registers the function of a contract: the one boundary that parses requests and turns failures into answers (http-api.md 1). */
export function serve<const Contract extends HttpContract>(contract: Contract, handlers: Handlers<Contract>): void {
  app.http(contract.name, {
    route: contract.route,
    authLevel: contract.authLevel,
    methods: contract.operations.map((operation) => operation.method),
    handler: async (request, context) => {
      const started = Date.now();
      const call = callOf(request, context);
      const { answer, problem } = await respond(contract, handlers, request, call);
      call.log(problem ? levelOf(problem) : 'info', 'request', {
        ...{ function: contract.name, status: answer.status, ms: Date.now() - started },
        ...(problem && problemFields(problem)),
      });
      return answer;
    },
  });
}

function callOf(request: HttpRequest, context: InvocationContext): Call {
  const chosen = request.headers.get('x-correlation-id') ?? '';
  const correlationId = chosenCorrelationId.test(chosen) ? chosen : randomUUID();
  return {
    correlationId,
    log: structuredLog(writerOf(context), correlationId),
    deadline: systemClock.now() + workMs,
  };
}

/** The host's log as one function of the level. */
export function writerOf(context: InvocationContext): (level: LogLevel, line: string) => void {
  return (level, line) => context[level](line);
}

async function respond<Contract extends HttpContract>(
  contract: Contract,
  handlers: Handlers<Contract>,
  request: HttpRequest,
  call: Call,
): Promise<{ answer: HttpResponseInit & { status: number }; problem?: Problem }> {
  try {
    const operation = contract.operations.find(({ method }) => method === request.method);
    if (!operation) throw new Problem('not_found', 'There is no such operation.');
    const input = await inputOf(operation, request);
    const handler = handlers[request.method as keyof Handlers<Contract>] as (
      input: Input<Operation>,
      call: Call,
    ) => Promise<Answer>;
    const { status = 200, headers = {}, body } = await inTime(answerMs, 'the request', handler(input, call));
    const answer = {
      status,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json; charset=utf-8' }),
        'x-correlation-id': call.correlationId,
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
    return { answer };
  } catch (fault) {
    const problem = problemOf(fault);
    return { answer: problemAnswer(problem, call), problem };
  }
}

async function inputOf(operation: Operation, request: HttpRequest): Promise<Input<Operation>> {
  const method = request.method as Method;
  const raw = {
    body: await bodyOf(request, method),
    path: { ...request.params },
    query: queryOf(request, operation),
  };
  const parse = (part: keyof typeof raw) => {
    const parsed = operation[part]?.safeParse(raw[part]);
    if (parsed && !parsed.success) throw invalid(fieldErrors(part, parsed.error));
    return parsed?.data ?? {};
  };
  if (operation.body === undefined && !isEmptyBody(raw.body))
    throw invalid([{ path: '/body', message: 'this route takes no body' }]);
  return { path: parse('path'), query: parse('query'), body: parse('body') } as Input<Operation>;
}

function problemOf(fault: unknown): Problem {
  if (fault instanceof Problem) return fault;
  if (fault instanceof TimedOut)
    return new Problem('unavailable', 'This took too long.', { retryAfterSeconds: 5, cause: fault });
  return new Problem('internal', 'The service failed; the correlation id finds it in the log.', { cause: fault });
}

function problemAnswer(problem: Problem, call: Call): HttpResponseInit & { status: number } {
  const { errors, retryAfterSeconds, store } = problem.details;
  return {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      'x-correlation-id': call.correlationId,
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    },
    body: JSON.stringify({
      type: `/problems/${problem.code}`,
      title: problemCodes[problem.code][1],
      status: problem.status,
      detail: problem.message,
      code: problem.code,
      correlationId: call.correlationId,
      ...(errors && { errors }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      ...(store && { store }),
    }),
  };
}

function levelOf({ code, status }: Problem): LogLevel {
  if (code === 'internal') return 'error';
  return status >= 500 ? 'warn' : 'info';
}

function problemFields({ code, message, details: { store, cause } }: Problem): LogFields {
  return {
    code,
    ...(code !== 'invalid_request' && { detail: message }),
    ...(store && {
      storeStatus: store.status,
      storeCode: store.code,
      storeCorrelationId: store.correlationId,
      cv: store.cv,
    }),
    ...(cause !== undefined && faultFields(cause)),
  };
}
