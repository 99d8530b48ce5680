import type { ClientSecretCredentialOptions } from '@azure/identity';

export type RequestPolicy = NonNullable<ClientSecretCredentialOptions['additionalPolicies']>[number];

/** What Entra last answered to a credential. The identity library keeps the text of a refusal alone. */
export interface EntraAnswer {
  status: number;
  /** Seconds; null without the header, or if it cannot be read. */
  retryAfterSeconds: number | null;
  unknownTenant: boolean;
}

/** An answer that says when to come again. */
const pausingStatuses = new Set([429, 503]);

/**
 * A policy of the identity library's requests that keeps what Entra answers. An answer that asks for a pause ends the request: the
 * library would wait for it, longer than a caller does.
 */
export function watchAnswers(): { policy: RequestPolicy; last(): EntraAnswer | undefined } {
  let last: EntraAnswer | undefined;
  const policy: RequestPolicy['policy'] = {
    name: 'watchAnswers',
    async sendRequest(request, next) {
      last = undefined;
      const response = await next(request);
      const answer: EntraAnswer = {
        status: response.status,
        retryAfterSeconds: secondsOf(response.headers.get('retry-after')),
        unknownTenant: response.status === 400 && /AADSTS90002\b|"invalid_tenant"/.test(response.bodyAsText ?? ''),
      };
      last = answer;
      if (pausingStatuses.has(answer.status) && answer.retryAfterSeconds !== null)
        throw new Error(`Entra answered ${answer.status} and asks for a pause of ${answer.retryAfterSeconds} s`);
      return response;
    },
  };
  return { policy: { policy, position: 'perRetry' }, last: () => last };
}

function secondsOf(header: string | undefined): number | null {
  if (header === undefined) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}
