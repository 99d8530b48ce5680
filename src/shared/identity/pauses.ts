import type { ClientSecretCredentialOptions } from '@azure/identity';

/** A policy of the requests of Azure's libraries. */
export type RequestPolicy = NonNullable<ClientSecretCredentialOptions['additionalPolicies']>[number];
type Response = Awaited<ReturnType<RequestPolicy['policy']['sendRequest']>>;

/** Statuses with which an answer may ask for a pause. Azure's libraries wait for it, however long it is. */
const pausingStatuses = new Set([429, 503]);

/** The pause that an answer asks for, in seconds; null if it asks for none that can be read. */
export function pauseOf({ status, headers }: Pick<Response, 'status' | 'headers'>): number | null {
  if (!pausingStatuses.has(status)) return null;
  for (const name of ['retry-after-ms', 'x-ms-retry-after-ms']) {
    const ms = headers.get(name)?.trim() ?? '';
    if (/^\d{1,12}$/.test(ms)) return Math.ceil(Number(ms) / 1000);
  }
  const pause = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(pause)) return Number(pause);
  const date = Date.parse(pause);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

/** Ends a request whose answer asks for a longer pause: whoever waits for the request does not wait that long. */
export function endLongPauses(who: string, longestSeconds: number): RequestPolicy {
  const policy: RequestPolicy['policy'] = {
    name: 'endLongPauses',
    async sendRequest(request, next) {
      const response = await next(request);
      const seconds = pauseOf(response);
      if (seconds === null || seconds <= longestSeconds) return response;
      throw new Error(`${who} answered ${response.status} and asks for a pause of ${seconds} s`);
    },
  };
  return { policy, position: 'perRetry' };
}
