/** Injected faults: which one applies to a request, and how it changes the answer. */
import type { ServerResponse } from 'node:http';
import { type Edit, EditError, edited } from './edit.ts';
import { type ErrorSource, errorReply, plainError, type Reply, StoreError } from './errors.ts';
import { rateLimitText } from './operation.ts';

export const faultOperations = [
  'publisherQuery',
  'b2bLicensePreview',
  'consume',
  'renew',
  'grant',
  'ordersQuery',
  '*',
] as const;

export interface Fault {
  operation: (typeof faultOperations)[number];
  /** How many requests it is applied to; null = all from now on. */
  times: number | null;
  /** How many matching requests are let through first. */
  skip: number;
  /** Waits before acting, and after acting before answering. */
  latencyMs: number;
  answerLatencyMs: number;
  /** Acts, then destroys the connection / destroys it without acting. */
  dropResponse: boolean;
  dropRequest: boolean;
  /** Acts, then answers the fault's status (500 if none) instead of the real answer. */
  actThenStatus: boolean;
  /** Acts, then answers the real answer with these changes, and with the fault's status if there is one. */
  edit?: Edit[] | undefined;
  /** A 200 whose body never ends / half of the body that `content-length` says / that many bytes of JSON. */
  endlessBody: boolean;
  truncateBody: boolean;
  hugeBytes?: number | undefined;
  status?: number | undefined;
  headers?: Record<string, string> | undefined;
  /** A string goes out as it is, anything else as JSON. Default: the documented error body of the status. */
  body?: unknown;
  contentType?: string | undefined;
}

export interface ArmedFault extends Fault {
  id: string;
}

/** The first fault that applies to this request. It counts as used, and earlier faults that skip this request as skipped once. */
export function takeFault(faults: ArmedFault[], operation: string): ArmedFault | undefined {
  for (const [index, fault] of faults.entries()) {
    if (fault.operation !== '*' && fault.operation !== operation) continue;
    if (fault.skip > 0) {
      fault.skip -= 1;
      continue;
    }
    if (fault.times !== null) {
      fault.times -= 1;
      if (fault.times <= 0) faults.splice(index, 1);
    }
    return fault;
  }
  return undefined;
}

/** Whether the operation is done at all under this fault. */
export function acts(fault: Fault | undefined): boolean {
  if (!fault) return true;
  if (fault.dropRequest) return false;
  return fault.edit !== undefined || fault.actThenStatus || !replaces(fault);
}

/** Whether the fault answers in place of the operation. */
function replaces(fault: Fault): boolean {
  const { status, body, hugeBytes, endlessBody, actThenStatus } = fault;
  return actThenStatus || endlessBody || status !== undefined || body !== undefined || hugeBytes !== undefined;
}

/** What is answered: the real reply, or the fault's. */
export function faultedReply(fault: Fault | undefined, real: Reply | undefined, source: ErrorSource): Reply {
  if (real && fault?.edit) return editedReply(real, fault, fault.edit, source);
  if (real && !(fault && replaces(fault))) return { ...real, headers: { ...real.headers, ...fault?.headers } };
  const plain200 =
    fault?.endlessBody || fault?.hugeBytes !== undefined || (fault?.body !== undefined && !fault.actThenStatus);
  const status = fault?.status ?? (plain200 ? 200 : 500);
  const headers = { ...(fault?.contentType ? { 'content-type': fault.contentType } : {}), ...fault?.headers };
  if (fault?.hugeBytes !== undefined) return { status, headers, body: hugeJson(fault.hugeBytes) };
  if (fault?.body !== undefined) return { status, headers, body: fault.body };
  const { body } = plainError(status, source);
  return { status, headers, body: status === 429 ? { ...(body as object), message: rateLimitText(200, 300) } : body };
}

function editedReply(real: Reply, fault: Fault, edits: Edit[], source: ErrorSource): Reply {
  const headers = { ...real.headers, ...fault.headers };
  try {
    return { status: fault.status ?? real.status, headers, body: edited(real.body, edits) };
  } catch (error) {
    if (!(error instanceof EditError)) throw error;
    console.error(`The Store emulator cannot edit an answer: ${error.message}`);
    return errorReply(new StoreError(500, 'EditNotApplicable', error.message), source);
  }
}

function hugeJson(bytes: number): string {
  const frame = '{"items":[],"padding":""}';
  return `${frame.slice(0, -2)}${'x'.repeat(Math.max(0, bytes - frame.length))}"}`;
}

/** Sends the reply; with the fault's kind of broken body, if it has one. */
export function sendReply(
  response: ServerResponse,
  reply: Reply,
  headers: Record<string, string>,
  fault: Fault | undefined,
): void {
  const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
  const all = { 'content-type': 'application/json; charset=utf-8', ...headers, ...reply.headers };
  if (fault?.endlessBody) {
    response.writeHead(reply.status, all);
    response.write('{"items":[');
    const timer = setInterval(() => response.write(' '.repeat(64)), 20);
    response.on('close', () => clearInterval(timer));
    return;
  }
  const bytes = Buffer.from(text);
  response.writeHead(reply.status, { ...all, 'content-length': String(bytes.length) });
  if (!fault?.truncateBody) {
    response.end(bytes);
    return;
  }
  response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
}
