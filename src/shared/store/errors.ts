import * as z from 'zod';
import { Problem, type StoreErrorInfo } from '../contract/problems.ts';
import { scrub } from '../lib/log.ts';
import { optionalText, storeObject, textOf } from './answer.ts';
import { defaultOutageSeconds, type StoreResponse } from './response.ts';

type Headers = Record<string, string | string[] | undefined>;

/** A code is a text; a number in its place is shown, but is no code that anything is decided by. */
const anyCode = z.unknown().transform((code) => (typeof code === 'number' ? String(code) : textOf(code)));
/** The error body of store-api.md 2.5. Any part of it may be missing or malformed, and is ignored then. */
const errorPart = { code: anyCode, message: optionalText };
const errorBody = storeObject({
  ...errorPart,
  innererror: storeObject({ ...errorPart, data: z.array(z.unknown()).nullable().catch(null) })
    .nullable()
    .catch(null),
});
/** What shows that the Store itself answers. */
const refusalBody = storeObject({ code: z.string() });

const defaultThrottleSeconds = 30;
const longestText = 300;

export function storeErrorInfo(status: number, headers: Headers, body: unknown): StoreErrorInfo {
  const parsed = errorBody.safeParse(body);
  const error = parsed.success ? parsed.data : undefined;
  return {
    status,
    code: presentable(error?.innererror?.code ?? error?.code),
    message: presentable(error?.innererror?.message ?? error?.message),
    correlationId: headerOf(headers, 'ms-correlationid'),
    cv: headerOf(headers, 'ms-cv'),
  };
}

const httpDate = /^[A-Za-z]{3,9},? /;

/** `Retry-After` in seconds, from either of its forms; null if absent or unreadable. */
export function retryAfterOf(headers: Headers, now = Date.now()): number | null {
  const value = header(headers, 'retry-after')?.trim();
  if (!value) return null;
  if (/^\d{1,9}(\.\d+)?$/.test(value)) return Math.ceil(Number(value));
  // Node reads nearly any text as a date.
  const date = httpDate.test(value) ? Date.parse(value) : Number.NaN;
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
  return response.status >= 400 && response.status < 500 && refusalBody.safeParse(response.body).success;
}

/** The problem that the caller of a read gets for a response that is no success (http-api.md 1). */
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

/** A header of an answer, safe to show and to log; null if absent. */
export function headerOf(headers: Headers, name: string): string | null {
  return presentable(header(headers, name));
}

function presentable(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : scrub(text).slice(0, longestText);
}
