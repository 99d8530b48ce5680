/** consume v8 (store-api.md 2.4). */
import { requireBeneficiary, requireService, requireXToken } from './auth.ts';
import { invalidParameter, StoreError } from './errors.ts';
import { itemId } from './items.ts';
import { consume } from './ledger.ts';
import { type Call, countForRateLimit, type Operation, requireGuid, requireString, sandboxOf } from './operation.ts';
import type { Product, User } from './types.ts';
import { accountOf, changeAccount, productNamed } from './world.ts';

export const consumeOperation: Operation = (call) => {
  const { world, body } = call;
  const { user, sandbox, delegated, ownProducts } = requireConsumer(call);
  const productId = requireString(body, 'productId');
  const trackingId = requireGuid(body, 'trackingId');
  const product = ownProducts ? productNamed(world.catalog, productId) : undefined;
  if (!product?.configured) throw notOwned();
  const quantity = requireQuantity(body, product);
  if (product.kind === 'UnmanagedConsumable' && sandbox !== 'RETAIL' && !delegated)
    throw invalidParameter(['sbx'], 'Developer-managed consumables of a sandbox can be consumed with an X-token only.');

  const result = consume(accountOf(user, sandbox), product, { trackingId, quantity, at: world.now() });
  if (result.outcome === 'notOwned') throw notOwned();
  if (result.outcome === 'insufficient')
    throw new StoreError(400, 'InsufficientConsumeQuantity', 'The user does not have the quantity to be consumed.');
  changeAccount(user, sandbox, () => result.account);
  return {
    status: 200,
    body: {
      itemId: itemId(user, sandbox, product.productId),
      productId: product.productId,
      trackingId,
      newQuantity: result.newQuantity,
      ...(body.includeOrderIds === true && result.orders.length > 0 ? { orderTransactions: result.orders } : {}),
    },
  };
};

function requireConsumer(call: Call): { user: User; sandbox: string; delegated: boolean; ownProducts: boolean } {
  const { world, body, authorization } = call;
  if (/^XBL3\.0 /i.test(authorization ?? '')) {
    const caller = requireXToken(world, authorization ?? '');
    const foreign = ['beneficiary', 'sbx'].filter((name) => body[name] !== undefined);
    if (foreign.length > 0) throw invalidParameter(foreign, 'Not allowed with a delegated token.');
    countForRateLimit(world, caller.user);
    return { ...caller, delegated: true, ownProducts: true };
  }
  const appid = requireService(world, call.verify, authorization);
  const sandbox = sandboxOf(body);
  const { user } = requireBeneficiary(world, appid, body.beneficiary, 'beneficiary');
  countForRateLimit(world, user);
  return { user, sandbox, delegated: false, ownProducts: appid === world.publisherClientId };
}

function requireQuantity(body: Record<string, unknown>, product: Product): number {
  // Older documents name the member `quantity`.
  const name = body.removeQuantity === undefined && body.quantity !== undefined ? 'quantity' : 'removeQuantity';
  const value = body[name];
  if (product.kind === 'UnmanagedConsumable') {
    if (value !== undefined) throw invalidParameter([name], 'Not allowed for a developer-managed consumable.');
    return 1;
  }
  if (product.kind !== 'Consumable') throw invalidParameter(['productId'], 'The product is not a consumable.');
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1)
    throw invalidParameter([name], 'The quantity must be a positive integer.');
  return value;
}

function notOwned(): StoreError {
  return new StoreError(404, 'NotFound', 'The user does not own the product.');
}
