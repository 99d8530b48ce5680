import type { z } from 'zod';
import type { StoreErrorInfo } from '../contract/problems.ts';
import type { Entra } from '../identity/entra.ts';
import type { CallContext } from '../lib/callContext.ts';
import { type AuthFault, authFaultOf, problemFromResponse, problemFromXTokenResponse } from './errors.ts';
import { isSuccess, StoreNoResponseError, StoreRefusedError, type StoreResponse } from './response.ts';
import type { RetryPolicy } from './retry.ts';
import type { SendToStore } from './transport.ts';

/** A User Store ID key for the time of one request. */
export interface UserKey {
  /** Absent for a key that came with the request. */
  account?: string;
  current(): string;
  /** The Store refused this key: makes another one current. @throws Problem if there is no other */
  replace(call: CallContext, refused: string): Promise<void>;
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

/** Asks the Store as a user. @throws StoreRefusedError, StoreNoResponseError; Problem of the identity */
export type AskStore = <Schema extends z.ZodType>(
  call: CallContext,
  caller: StoreCaller,
  operation: StoreOperation<Schema>,
) => Promise<StoreResult<z.output<Schema>>>;

/** All Store APIs send their requests through this: it authorizes, sends, and throws for everything that is not a result. */
export function createAskStore(send: SendToStore, entra: Entra): AskStore {
  return async (call, caller, { body, schema, ...request }) => {
    if (isXToken(caller)) {
      const headers = xTokenHeaders(caller);
      const response = await send(call, { ...request, headers, body: body(undefined) });
      if (!isSuccess(response))
        throw new StoreRefusedError(request.operation, response, problemFromXTokenResponse(response));
      return parseResponse(call, request.operation, schema, response);
    }
    const response = await sendAsUser(call, entra, caller, (key, serviceToken) =>
      send(call, { ...request, headers: { authorization: `Bearer ${serviceToken}` }, body: body(key) }),
    );
    if (!isSuccess(response)) throw new StoreRefusedError(request.operation, response, problemFromResponse(response));
    return parseResponse(call, request.operation, schema, response);
  };
}

/**
 * Sends with a user's key; after a refused identity once more with a new service token, then with a new key (http-api.md 2.11).
 * What is refused after that is returned as it is.
 * @throws StoreNoResponseError, Problem
 */
async function sendAsUser(
  call: CallContext,
  entra: Entra,
  userKey: UserKey,
  send: (key: string, serviceToken: string) => Promise<StoreResponse>,
): Promise<StoreResponse> {
  const tried = { newToken: false, newKey: false };
  for (;;) {
    const { token } = await entra.token('service', call.log);
    const key = userKey.current();
    const response = await send(key, token);
    const fault = authFaultOf(response);
    const step = fault === null ? 'none' : nextStep(fault, tried);
    if (step === 'none') return response;
    tried[step] = true;
    if (step === 'newToken') entra.invalidate('service', token);
    else if (userKey.current() === key) await userKey.replace(call, key);
  }
}

/** Which of the two identities to replace after a refusal. Pure. */
export function nextStep(
  fault: AuthFault,
  tried: { newToken: boolean; newKey: boolean },
): 'newToken' | 'newKey' | 'none' {
  if (fault !== 'key' && !tried.newToken) return 'newToken';
  if (fault !== 'service' && !tried.newKey) return 'newKey';
  return 'none';
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
