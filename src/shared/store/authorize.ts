import type { z } from 'zod';
import { Problem, type StoreErrorInfo } from '../contract/problems.ts';
import type { Entra } from '../identity/entra.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import {
  type AuthFault,
  authFaultOf,
  problemFromResponse,
  problemFromXTokenResponse,
  storeIdExpired,
} from './errors.ts';
import {
  isSuccess,
  leastAnswerMs,
  NothingSentError,
  StoreNoResponseError,
  StoreRefusedError,
  type StoreResponse,
  tooLittleTime,
} from './response.ts';
import type { RetryPolicy } from './retry.ts';
import type { SendToStore } from './transport.ts';

/** A refused identity is the key's fault if the Store has taken this service's token within this time (http-api.md 2.11). */
const tokenIsGoodMs = 10 * 60_000;

/** A User Store ID key for the time of one request. */
export interface UserKey {
  /** Absent for a key that came with the request. */
  account?: string;
  current(): string;
  /** The Store refused this key: makes another one current. @throws NoOtherKeyError; Problem if it cannot be known now */
  replace(call: CallContext, refused: string): Promise<void>;
}

/** There is no other key than the refused one: `store_id_expired`. */
export class NoOtherKeyError extends Problem {
  /** It is known to be the key that is at fault. Else the service's token may be, which the Store refused together with the key. */
  readonly proven: boolean;

  constructor(problem: Problem, proven: boolean) {
    super(problem.code, problem.message, problem.details);
    this.proven = proven;
  }
}

/** A delegated X-token, which names user and sandbox itself (store-api.md 1.4). */
export interface XTokenCaller {
  xToken: { userHash: string; token: string; signature?: string | undefined };
}

/** The identity that the Store is asked with. */
export type StoreCaller = UserKey | XTokenCaller;

export function isXToken(caller: StoreCaller): caller is XTokenCaller {
  return 'xToken' in caller;
}

/** One operation of a Store API: `body` is made for the key that is sent, or for none with an X-token. */
export interface StoreOperation<Schema extends z.ZodType> {
  operation: string;
  url: string;
  body: (key: string | undefined) => object;
  retry: RetryPolicy;
  schema: Schema;
}

export interface StoreResult<Value> {
  value: Value;
  /** Identifies the call to Microsoft support. */
  info: StoreErrorInfo;
}

/** Asks the Store as a user. @throws NothingSentError, StoreRefusedError, StoreNoResponseError */
export type AskStore = <Schema extends z.ZodType>(
  call: CallContext,
  caller: StoreCaller,
  operation: StoreOperation<Schema>,
) => Promise<StoreResult<z.output<Schema>>>;

/** All Store APIs send their requests through this: it authorizes, sends, and throws for everything that is not a result. */
export function createAskStore(send: SendToStore, entra: Entra, clock: Clock): AskStore {
  const parts = { entra, clock };
  return async (call, caller, { body, schema, ...request }) => {
    if (isXToken(caller)) {
      if (!hasTime(call, clock)) throw tooLittleTime();
      const headers = xTokenHeaders(caller);
      const response = await send(call, { ...request, headers, body: body(undefined) });
      if (!isSuccess(response))
        throw new StoreRefusedError(request.operation, response, problemFromXTokenResponse(response));
      return parseResponse(call, request.operation, schema, response);
    }
    const { response, problem } = await sendAsUser(parts, call, caller, (key, serviceToken) =>
      send(call, { ...request, headers: { authorization: `Bearer ${serviceToken}` }, body: body(key) }),
    );
    if (problem) throw new StoreRefusedError(request.operation, response, problem);
    return parseResponse(call, request.operation, schema, response);
  };
}

interface AskParts {
  entra: Entra;
  clock: Clock;
}

/** What the Store answered last, and the problem of the caller unless it is a success. */
interface Answer {
  response: StoreResponse;
  problem?: Problem;
}

/**
 * Sends with a user's key; after a refused identity once more, with a new service token if it can be at fault, then with a new key
 * (http-api.md 2.11). From the first answer on, what prevents another try is no error: the refusal stands.
 * @throws NothingSentError if nothing was sent, StoreNoResponseError
 */
async function sendAsUser(
  parts: AskParts,
  call: CallContext,
  userKey: UserKey,
  send: (key: string, serviceToken: string) => Promise<StoreResponse>,
): Promise<Answer> {
  const { entra, clock } = parts;
  const tried = { newToken: false, newKey: false };
  let refused: Answer | undefined;
  for (;;) {
    const token = await serviceToken(parts, call).catch(unlessRefused(refused));
    if (typeof token !== 'string') return token;
    const key = userKey.current();
    const sentAt = clock.now();
    const response = await send(key, token).catch(unlessRefused(refused));
    if ('response' in response) return response;
    if (isSuccess(response)) {
      entra.acceptances.note(token, call.log);
      return { response };
    }
    const problem = problemFromResponse(response, isTokenGood(parts));
    refused = { response, problem };
    const last = await withoutOtherIdentity(parts, call, userKey, { token, key, sentAt, response, problem }, tried);
    if (last) return last;
  }
}

/** A call that was refused, and what it was sent with. */
interface Refusal {
  token: string;
  key: string;
  /** Epoch ms. */
  sentAt: number;
  response: StoreResponse;
  problem: Problem;
}

/**
 * Replaces what the refusal may be about. What there is no other of is not sent again.
 * @param tried what was replaced, or could not be, in this call so far
 * @returns undefined if there is another token or key to send with; else the answer
 */
async function withoutOtherIdentity(
  parts: AskParts,
  call: CallContext,
  userKey: UserKey,
  { token, key, sentAt, response, problem }: Refusal,
  tried: { newToken: boolean; newKey: boolean },
): Promise<Answer | undefined> {
  const fault = authFaultOf(response);
  if (fault === null) return { response, problem };
  for (let step = nextStep(fault, tried); step !== 'none'; step = nextStep(fault, tried)) {
    tried[step] = true;
    if (step === 'newToken') {
      if (await parts.entra.replace('service', { token, sentAt }, call.log)) return undefined;
    } else {
      if (userKey.current() !== key) return undefined;
      const failed = await userKey.replace(call, key).then(() => undefined, problemOrThrow);
      return failed && { response, problem: problemWithoutKey(fault, failed, problem, isTokenGood(parts)) };
    }
  }
  return { response, problem };
}

/** @throws NothingSentError if there is no token, or too little time for an answer */
async function serviceToken({ entra, clock }: AskParts, call: CallContext): Promise<string> {
  const { token } = await entra.token('service', call.log).catch((fault: unknown) => {
    throw fault instanceof Problem ? new NothingSentError(fault) : fault;
  });
  if (!hasTime(call, clock)) throw tooLittleTime();
  return token;
}

/** After a refusal, a try that sent nothing leaves the refusal as the answer. @throws any other fault */
function unlessRefused(refused: Answer | undefined): (fault: unknown) => Answer {
  return (fault) => {
    if (refused && fault instanceof NothingSentError) return refused;
    throw fault;
  };
}

/** Which of the two identities to replace after a refusal. Pure. */
export function nextStep(
  fault: AuthFault,
  tried: { newToken: boolean; newKey: boolean },
): 'newToken' | 'newKey' | 'none' {
  if (fault !== 'key' && !tried.newToken) return 'newToken';
  if ((fault === 'key' || fault === 'undecided') && !tried.newKey) return 'newKey';
  return 'none';
}

/** The problem of a refused key that could not be replaced. Pure. */
export function problemWithoutKey(fault: AuthFault, failed: Problem, refusal: Problem, tokenIsGood: boolean): Problem {
  if (failed instanceof NoOtherKeyError) return fault === 'key' || failed.proven || tokenIsGood ? failed : refusal;
  // The Store named the key: that this service could not renew it is not the answer to give.
  if (fault === 'key' && failed.code === 'store_unauthorized') return storeIdExpired('key', { cause: failed });
  return failed;
}

function isTokenGood({ entra, clock }: AskParts): boolean {
  return entra.acceptances.ofAny(clock.now() - tokenIsGoodMs);
}

function hasTime(call: CallContext, clock: Clock): boolean {
  return clock.now() + leastAnswerMs <= call.deadline;
}

/** @throws a fault that is no problem */
function problemOrThrow(fault: unknown): Problem {
  if (fault instanceof Problem) return fault;
  throw fault;
}

/** @throws StoreNoResponseError for an answer that is not as documented: what was asked may have happened */
function parseResponse<Schema extends z.ZodType>(
  call: CallContext,
  operation: string,
  schema: Schema,
  response: StoreResponse,
): StoreResult<z.output<Schema>> {
  const parsed = schema.safeParse(response.body);
  if (parsed.success) return { value: parsed.data, info: response.error };
  const fields = parsed.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.')}: ${message}`);
  call.log('error', 'store.unexpectedAnswer', { operation, fields: fields.join('; ') });
  throw new StoreNoResponseError(new Error('an answer of the Store is not as documented'));
}

function xTokenHeaders({ xToken: { userHash, token, signature } }: XTokenCaller): Record<string, string> {
  return { authorization: `XBL3.0 x=${userHash};${token}`, ...(signature !== undefined && { signature }) };
}
