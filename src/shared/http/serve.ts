import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import type * as z from 'zod';
import { Problem } from '../contract/problems.ts';
import type { HttpContract, Operation } from '../contract/route.ts';
import type { CallContext } from '../lib/callContext.ts';
import { systemClock } from '../lib/clock.ts';
import { invocationLog, structuredLog } from '../lib/log.ts';
import { withTimeout } from '../lib/timeout.ts';
import { correlationIdOf } from './correlation.ts';
import { parseRequest } from './input.ts';
import { createPlaces } from './places.ts';
import { logLevelOf, problemFields, problemFromFault, problemResponse } from './problemResponse.ts';

/** A caller waits 60 s at most. The work may take this long; the rest is for reading the request and writing the answer. */
const workMs = 50_000;
/** The last limit, in case several waits add up. The work goes on after it, and its record shows the outcome. */
const answerMs = 58_000;
/**
 * Requests of one function at a time; the excess is refused. Measured with 4,000 callers at once and a Store that takes a second: the
 * process takes 330 to 430 MB, with the local host and its connections in it.
 */
export const mostAtOnce = 500;

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : Record<string, never>;

/** The parts of a request, parsed by the schemas of its operation. */
export interface RequestInput<Op extends Operation> {
  path: Op extends { path: infer Schema } ? Parsed<Schema> : Record<string, never>;
  query: Op extends { query: infer Schema } ? Parsed<Schema> : Record<string, never>;
  body: Op extends { body: infer Schema } ? Parsed<Schema> : Record<string, never>;
}

export interface HttpResult {
  /** Default 200. */
  status?: number;
  headers?: Record<string, string>;
  /** Sent as JSON; absent for 204. */
  body?: unknown;
}

type Handler<Op extends Operation> = (input: RequestInput<Op>, call: CallContext) => Promise<HttpResult>;
type OperationOf<Contract extends HttpContract, Verb> = Extract<Contract['operations'][number], { method: Verb }>;
type Handlers<Contract extends HttpContract> = {
  [Verb in Contract['operations'][number]['method']]: Handler<OperationOf<Contract, Verb>>;
};
type Response = HttpResponseInit & { status: number };

/** Registers the function of a contract: the one boundary that parses requests and turns errors into answers (http-api.md 1). */
export function serve<const Contract extends HttpContract>(contract: Contract, handlers: Handlers<Contract>): void {
  app.http(contract.name, {
    route: contract.route,
    authLevel: contract.authLevel,
    methods: contract.operations.map((operation) => operation.method),
    handler: requestHandler(contract, handlers),
  });
}

/** What the host calls with each request of a function. It never throws. */
export function requestHandler<const Contract extends HttpContract>(
  contract: Contract,
  handlers: Handlers<Contract>,
): (request: HttpRequest, context: InvocationContext) => Promise<Response> {
  const places = createPlaces(contract.takesNoPlace ? Number.POSITIVE_INFINITY : mostAtOnce);
  return async (request, context) => {
    const startedAt = Date.now();
    const lines = invocationLog(context);
    const correlationId = correlationIdOf(request.headers.get('x-correlation-id'));
    const log = structuredLog(lines.write, correlationId);
    const call: CallContext = { correlationId, log, deadline: systemClock.now() + workMs };
    const { response, problem } = await answered(call, () =>
      places.run(() => respond(contract, handlers, request, call)),
    );
    log(problem ? logLevelOf(problem) : 'info', 'request', {
      function: contract.name,
      status: response.status,
      ms: Date.now() - startedAt,
      ...(problem && problemFields(problem)),
    });
    lines.end();
    return response;
  };
}

/** The answer of a request, whatever is thrown. */
async function answered(
  call: CallContext,
  work: () => Promise<Response>,
): Promise<{ response: Response; problem?: Problem }> {
  try {
    return { response: await work() };
  } catch (fault) {
    const problem = problemFromFault(fault);
    return { response: problemResponse(problem, call.correlationId), problem };
  }
}

/** @throws Problem, and whatever else a use case throws */
async function respond<Contract extends HttpContract>(
  contract: Contract,
  handlers: Handlers<Contract>,
  request: HttpRequest,
  call: CallContext,
): Promise<Response> {
  const operation = contract.operations.find(({ method }) => method === request.method);
  if (!operation) throw new Problem('not_found', 'There is no such operation: see GET /api/openapi.json.');
  const input = (await parseRequest(operation, request)) as RequestInput<Operation>;
  const handler = handlers[operation.method as keyof Handlers<Contract>] as Handler<Operation>;
  return successResponse(await withTimeout(answerMs, 'the request', handler(input, call)), call);
}

function successResponse({ status = 200, headers = {}, body }: HttpResult, call: CallContext): Response {
  const common = { 'x-correlation-id': call.correlationId, ...headers };
  if (body === undefined) return { status, headers: common };
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...common },
    body: JSON.stringify(body),
  };
}
