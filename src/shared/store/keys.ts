import * as z from 'zod';
import type { KeyKind } from '../identity/storeId.ts';
import type { Call } from '../lib/callContext.ts';
import { readRule } from './retry.ts';
import type { SendToStore, StoreAnswer } from './transport.ts';

const renewed = z.looseObject({ key: z.string().min(1) });

export interface KeysApi {
  /** Renews a key at the configured host of its kind, wherever the key itself points (store-api.md 1.2, 1.3). @throws StoreSilence */
  renew(
    call: Call,
    kind: KeyKind,
    key: string,
    serviceToken: string,
  ): Promise<{ key: string } | { refusal: StoreAnswer }>;
}

export function keysApi(send: SendToStore, urls: Record<KeyKind, string>): KeysApi {
  return {
    async renew(call, kind, key, serviceToken) {
      const answer = await send(call, {
        operation: `renew.${kind}`,
        url: `${urls[kind]}/v6.0/b2b/keys/renew`,
        body: { serviceTicket: serviceToken, key },
        // A renewal that is sent twice makes two keys, both good.
        retry: readRule,
      });
      const parsed = renewed.safeParse(answer.body);
      return answer.status === 200 && parsed.success ? { key: parsed.data.key } : { refusal: answer };
    },
  };
}
