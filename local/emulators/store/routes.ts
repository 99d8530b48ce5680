/** Which operation answers where. Each host knows its own paths only. */
import { b2bLicensePreview, publisherQuery } from './collections.ts';
import { consumeOperation } from './consumeOperation.ts';
import type { Operation } from './operation.ts';
import { grant, ordersQuery } from './purchase.ts';
import { renewOperation } from './renew.ts';
import type { KeyKind } from './types.ts';

export interface Endpoint {
  operation: string;
  method: string;
  act: Operation;
}

const post = (operation: string, act: Operation): Endpoint => ({ operation, method: 'POST', act });

export const endpoints: Record<KeyKind, ReadonlyMap<string, Endpoint>> = {
  collections: new Map([
    ['/v9.0/collections/publisherQuery', post('publisherQuery', publisherQuery)],
    ['/v8.0/collections/b2bLicensePreview', post('b2bLicensePreview', b2bLicensePreview)],
    ['/v8.0/collections/consume', post('consume', consumeOperation)],
    ['/v6.0/b2b/keys/renew', post('renew', renewOperation('collections'))],
  ]),
  purchase: new Map([
    ['/v7.0/purchases/grant', post('grant', grant)],
    ['/v6.0/purchases/grant', post('grant', grant)],
    ['/v8.0/b2b/orders/query', post('ordersQuery', ordersQuery)],
    ['/v6.0/b2b/keys/renew', post('renew', renewOperation('purchase'))],
  ]),
};
