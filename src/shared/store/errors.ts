import * as z from 'zod';
import { Problem, type StoreErrorInfo } from '../contract/problems.ts';
import { routePrefix } from '../contract/route.ts';
import { putStoreIds, storeIdsContract } from '../contract/storeIds.ts';
import { scrub } from '../lib/log.ts';
import { optionalText, storeObject, textOf } from './answer.ts';
import { defaultOutageSeconds, noUsableAnswer, type StoreResponse } from './response.ts';

type Headers = Record<string, string | string[] | undefined>;

/** A code is a text; a number in its place is shown, but is no code that anything is decided by. */
const anyCode = z.unknown().transform((code) => (typeof code === 'number' ? String(code) : textOf(code)));
/** The error body of store-api.md 2.5. Any part of it may be missing or malformed, and is ignored then. */
const errorPart = {
  code: anyCode,
  message: optionalText,
  data: z
    .union([z.array(z.unknown()), z.string()])
    .nullable()
    .catch(null),
};
const errorBody = storeObject({ ...errorPart, innererror: storeObject(errorPart).nullable().catch(null) });
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

/**
 * What a refused identity is about (store-api.md 2.5): the user's key, the service's token, one of the two, or a failure of the Store
 * itself, which says nothing about either.
 */
export type AuthFault = 'key' | 'service' | 'undecided' | 'store';

/** Codes come in different capitalisation. Null: the refusal is not about authentication. */
export function authFaultOf(response: StoreResponse): AuthFault | null {
  switch (response.error.code?.toLowerCase()) {
    case 'authenticationfailure':
      return faultNamedIn(response.body);
    case 'authenticationtokeninvalid':
      return 'undecided';
    case 'partneraadticketrequired':
    case 'inconsistentclientid':
      return 'service';
    case 'internalaadauthenticationerror':
      return 'store';
    default:
      return response.status === 401 ? 'undecided' : null;
  }
}

/** `AuthenticationFailure` says in its data, in one long text, what failed. */
function faultNamedIn(body: unknown): AuthFault {
  const parsed = errorBody.safeParse(body);
  const texts = parsed.success ? [parsed.data.innererror?.data, parsed.data.data].flat() : [];
  const text = texts.filter((one) => typeof one === 'string').join(' ');
  if (/InternalAadAuthenticationError|InternalServerError/i.test(text)) return 'store';
  return /b2b key/i.test(text) ? 'key' : 'undecided';
}

/** Whether the Store itself refuses, with its error body; a gateway's page is no refusal. */
export function isStoreRefusal(response: StoreResponse): boolean {
  return response.status >= 400 && response.status < 500 && refusalBody.safeParse(response.body).success;
}

/**
 * The problem that the caller of a read gets for a response other than a success (http-api.md 1). `tokenIsGood`: the Store has lately
 * taken this service's token (http-api.md 2.11), so a refusal that leaves open whose token is bad is about the key.
 */
export function problemFromResponse(response: StoreResponse, tokenIsGood = false): Problem {
  const store = response.error;
  if (response.status === 429) {
    const detail =
      'The Store limits the rate of this user\u2019s calls. Send the same request again after the seconds of Retry-After.';
    return new Problem('store_throttled', detail, {
      retryAfterSeconds: response.retryAfterSeconds ?? defaultThrottleSeconds,
      store,
    });
  }
  const fault = authFaultOf(response);
  if (fault === 'key' || (fault === 'undecided' && tokenIsGood)) return storeIdExpired('key', { store });
  if (fault === 'service' || fault === 'undecided') return serviceRefused(response);
  if (fault === null && isStoreRefusal(response)) {
    const detail =
      'The Store refused the request for good: `store` says why. Correct the request; as it is, it will be refused again.';
    return new Problem('store_rejected', detail, { store });
  }
  return storeUnavailable({ store, retryAfterSeconds: response.retryAfterSeconds });
}

/** @param what names the key: its kind, where that is known */
export function storeIdExpired(what: string, about: { store?: StoreErrorInfo; cause?: unknown } = {}): Problem {
  return new Problem(
    'store_id_expired',
    `The player\u2019s ${what} has expired or was revoked, and could not be renewed. The game client must make a new one, for ${registration}.`,
    about,
  );
}

/** How keys are registered. */
export const registration = `${putStoreIds.method} /${routePrefix}/${storeIdsContract.route}`;

function serviceRefused(response: StoreResponse): Problem {
  const inconsistent = response.error.code?.toLowerCase() === 'inconsistentclientid';
  const detail = inconsistent
    ? 'The Store says that the key and the token of this service are of different apps: ENTRA_CLIENT_ID must be the app whose service tickets the game client makes its keys with.'
    : 'The Store refuses the identity of this service: check ENTRA_TENANT_ID and ENTRA_CLIENT_ID, and that Partner Center has this client id for the product.';
  return new Problem('store_unauthorized', detail, { store: response.error });
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
    const detail =
      'The X-token is for another sandbox or relying party. Get one for http://licensing.xboxlive.com in the sandbox of this deployment.';
    return new Problem('xbox_rejected', detail, { store });
  }
  return problemFromResponse(response);
}

export function storeUnavailable(
  about: { store?: StoreErrorInfo; retryAfterSeconds?: number | null; cause?: unknown } = {},
): Problem {
  return new Problem('store_unavailable', noUsableAnswer, {
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
