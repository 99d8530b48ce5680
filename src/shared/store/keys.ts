import * as z from 'zod';
import type { KeyKind } from '../identity/storeId.ts';
import type { CallContext } from '../lib/callContext.ts';
import { problemFromResponse, storeUnavailable } from './errors.ts';
import { isSuccess, StoreRefusedError } from './response.ts';
import { readRetryPolicy } from './retry.ts';
import type { SendToStore } from './transport.ts';

const keyText = z.string().min(1);
/** The documentation's tables write `key`, its examples `Key` (store-api.md 1.3). */
const renewed = z.union([
  z.looseObject({ key: keyText }).transform(({ key }) => key),
  z.looseObject({ Key: keyText }).transform(({ Key }) => Key),
]);

export interface KeysApi {
  /**
   * Renews a key at the configured host of its kind, not at the address in the key (store-api.md 1.2, 1.3).
   * @throws StoreRefusedError, StoreNoResponseError, Problem store_unavailable for an answer without a key
   */
  renew(call: CallContext, kind: KeyKind, key: string, serviceToken: string): Promise<string>;
}

export function createKeysApi(send: SendToStore, urls: Record<KeyKind, string>): KeysApi {
  return {
    async renew(call, kind, key, serviceToken) {
      const operation = `renew.${kind}`;
      const response = await send(call, {
        operation,
        url: `${urls[kind]}/v6.0/b2b/keys/renew`,
        body: { serviceTicket: serviceToken, key },
        // A renewal that is sent twice makes two keys, both good.
        retry: readRetryPolicy,
        lane: 'renewals',
      });
      if (!isSuccess(response)) throw new StoreRefusedError(operation, response, problemFromResponse(response));
      const parsed = renewed.safeParse(response.body);
      if (!parsed.success) {
        throw storeUnavailable({ store: response.error, retryAfterSeconds: response.retryAfterSeconds });
      }
      return parsed.data;
    },
  };
}
