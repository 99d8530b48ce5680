import * as z from 'zod';
import { Problem, type StoreErrorInfo } from '../contract/problems.ts';
import { scrub } from '../lib/log.ts';
import { defaultOutageSeconds, type StoreResponse } from './response.ts';

type Headers = Record<string, string | string[] | undefined>;

const errorPart = z.looseObject({ code: z.string(), message: z.string().optional().catch(undefined) });
/** The error body of store-api.md 2.5. Any part of it may be missing or malformed, and is ignored then. */
const errorBody = z.looseObject({
  code: z.string(),
  message: z.string().optional().catch(undefined),
  innererror: errorPart
    .extend({ data: z.array(z.unknown()).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

const defaultThrottleSeconds = 30;
const longestText = 300;

export function storeErrorInfo(status: number, headers: Headers, body: unknown): StoreErrorInfo {
  const parsed = errorBody.safeParse(body);
  const error = parsed.success ? parsed.data : undefined;
  return {
    status,
    code: presentable(error?.innererror?.code ?? error?.code),
    message: presentable(error?.innererror?.message ?? error?.message),
    correlationId: presentable(header(headers, 'ms-correlationid')),
    cv: presentable(header(headers, 'ms-cv')),
  };
}

/** `Retry-After` in seconds, from either of its forms. */
export function retryAfterOf(headers: Headers, now = Date.now()): number | null {
  const value = header(headers, 'retry-after')?.trim();
  if (!value) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - now) / 1000));
}

/** Whose token a refusal is about (store-api.md 2.5). */
export type AuthFault = 'key' | 'service' | 'undecided';

/** Codes come in different capitalisation. Null: the refusal is not about authentication. */
export function authFaultOf(response: StoreResponse): AuthFault | null {
  switch (response.error.code?.toLowerCase()) {
    case 'authenticationfailure':
      return namesUserKey(response.body) ? 'key' : 'undecided';
    case 'authenticationtokeninvalid':
      return 'undecided';
    case 'partneraadticketrequired':
    case 'inconsistentclientid':
      return 'service';
    default:
      return response.status === 401 ? 'undecided' : null;
  }
}

function namesUserKey(body: unknown): boolean {
  const parsed = errorBody.safeParse(body);
  return (
    parsed.success &&
    (parsed.data.innererror?.data ?? []).some((one) => typeof one === 'string' && /b2b key/i.test(one))
  );
}

/** Whether the Store itself refuses, with its error body; a gateway's page is no refusal. */
export function isStoreRefusal(response: StoreResponse): boolean {
  return response.status >= 400 && response.status < 500 && errorBody.safeParse(response.body).success;
}

/** The problem that the caller of a read gets for a response other than 200 (http-api.md 1). */
export function problemFromResponse(response: StoreResponse): Problem {
  const store = response.error;
  if (response.status === 429) {
    return new Problem('store_throttled', 'The Store limits the rate of this user\u2019s calls.', {
      retryAfterSeconds: response.retryAfterSeconds ?? defaultThrottleSeconds,
      store,
    });
  }
  if (authFaultOf(response) !== null) {
    return new Problem('store_unauthorized', 'The Store refuses the identity of this service.', { store });
  }
  if (isStoreRefusal(response)) {
    return new Problem('store_rejected', 'The Store refused the request for good.', { store });
  }
  return storeUnavailable({ store, retryAfterSeconds: response.retryAfterSeconds });
}

/** The same for a call with an X-token (store-api.md 1.4). */
export function problemFromXTokenResponse(response: StoreResponse): Problem {
  const store = response.error;
  if (response.status === 401) {
    return new Problem('x_token_expired', 'The X-token has expired; get a new one from the player\u2019s client.', {
      store,
    });
  }
  if (response.status === 403) {
    const detail = 'The X-token is for another sandbox or relying party (http://licensing.xboxlive.com).';
    return new Problem('xbox_rejected', detail, { store });
  }
  return problemFromResponse(response);
}

export function storeUnavailable(
  about: { store?: StoreErrorInfo; retryAfterSeconds?: number | null; cause?: unknown } = {},
): Problem {
  return new Problem('store_unavailable', 'The Store gave no usable answer.', {
    ...about,
    retryAfterSeconds: about.retryAfterSeconds ?? defaultOutageSeconds,
  });
}

function header(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function presentable(text: string | undefined): string | null {
  return text === undefined ? null : scrub(text).slice(0, longestText);
}
