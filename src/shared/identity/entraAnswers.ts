import { pauseOf, type RequestPolicy } from './pauses.ts';

export type { RequestPolicy } from './pauses.ts';

/** What Entra last answered to a credential. The identity library keeps the text of a refusal alone. */
export interface EntraAnswer {
  status: number;
  /** The pause that it asks for, in seconds; null if it asks for none that can be read. */
  retryAfterSeconds: number | null;
  unknownTenant: boolean;
}

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
        retryAfterSeconds: pauseOf(response),
        unknownTenant: response.status === 400 && /AADSTS90002\b|"invalid_tenant"/.test(response.bodyAsText ?? ''),
      };
      last = answer;
      if (answer.retryAfterSeconds !== null)
        throw new Error(`Entra answered ${answer.status} and asks for a pause of ${answer.retryAfterSeconds} s`);
      return response;
    },
  };
  return { policy: { policy, position: 'perRetry' }, last: () => last };
}
