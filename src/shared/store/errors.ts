import * as z from 'zod';
import { Problem, type StoreStatement } from '../contract/problems.ts';
import { scrub } from '../lib/log.ts';
import type { StoreAnswer } from './transport.ts';

type Headers = Record<string, string | string[] | undefined>;

const errorPart = z.looseObject({ code: z.string(), message: z.string().optional().catch(undefined) });
/** The error body of store-api.md 2.5. Any part of it may be missing or malformed: nothing of it may break the error path. */
const errorBody = z.looseObject({
  code: z.string(),
  message: z.string().optional().catch(undefined),
  innererror: errorPart
    .extend({ data: z.array(z.unknown()).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

const defaultThrottleSeconds = 30;
const defaultOutageSeconds = 5;
const longestText = 300;

export function statementOf(status: number, headers: Headers, body: unknown): StoreStatement {
  const parsed = errorBody.safeParse(body);
  const error = parsed.success ? parsed.data : undefined;
  return {
    status,
    code: shown(error?.innererror?.code ?? error?.code),
    message: shown(error?.innererror?.message ?? error?.message),
    correlationId: shown(header(headers, 'ms-correlationid')),
    cv: shown(header(headers, 'ms-cv')),
  };
}

/** `Retry-After` in seconds, from either of its forms. */
export function retryAfterOf(headers: Headers, now = Date.now()): number | null {
  const value = header(headers, 'retry-after')?.trim();
  if (!value) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now) / 1000));
}

/** What a 401 says about whose token is bad (store-api.md 2.5). */
export type AuthFault = 'key' | 'service' | 'open';

/** Codes are capitalised differently at times. Null: no word about authentication. */
export function authFaultOf(answer: StoreAnswer): AuthFault | null {
  switch (answer.statement.code?.toLowerCase()) {
    case 'authenticationfailure':
      return namesUserKey(answer.body) ? 'key' : 'open';
    case 'authenticationtokeninvalid':
      return 'open';
    case 'partneraadticketrequired':
    case 'inconsistentclientid':
      return 'service';
    default:
      return answer.status === 401 ? 'open' : null;
  }
}

function namesUserKey(body: unknown): boolean {
  const parsed = errorBody.safeParse(body);
  return (
    parsed.success &&
    (parsed.data.innererror?.data ?? []).some((one) => typeof one === 'string' && /b2b key/i.test(one))
  );
}

/** Whether this is a refusal in the Store's own words, not a page of some gateway. */
export function isStatedRefusal(answer: StoreAnswer): boolean {
  return answer.status >= 400 && answer.status < 500 && errorBody.safeParse(answer.body).success;
}

/** What a read that was not answered with 200 comes to for the caller (http-api.md 1). */
export function readProblem(answer: StoreAnswer): Problem {
  const store = answer.statement;
  if (answer.status === 429) {
    return new Problem('store_throttled', 'The Store limits the rate of this user\u2019s calls.', {
      retryAfterSeconds: answer.retryAfterSeconds ?? defaultThrottleSeconds,
      store,
    });
  }
  if (authFaultOf(answer) !== null) {
    return new Problem('store_unauthorized', 'The Store refuses the identity of this service.', { store });
  }
  if (isStatedRefusal(answer))
    return new Problem('store_rejected', 'The Store refused the request for good.', { store });
  return storeUnavailable({ store, retryAfterSeconds: answer.retryAfterSeconds });
}

export function storeUnavailable(
  about: { store?: StoreStatement; retryAfterSeconds?: number | null; cause?: unknown } = {},
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

function shown(text: string | undefined): string | null {
  return text === undefined ? null : scrub(text).slice(0, longestText);
}
