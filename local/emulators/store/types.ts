/** What the emulated Store knows. Everything here is plain data, so that it can be saved and restored as JSON. Times are ms since 1970. */

export const kinds = ['Application', 'Game', 'Durable', 'Consumable', 'UnmanagedConsumable', 'Pass'] as const;
export type ProductKind = (typeof kinds)[number];

export const tiers = ['Console', 'Starter', 'PC', 'Essential', 'Premium', 'Ultimate'] as const;
export type Tier = (typeof tiers)[number];

/** Where an entitlement comes from, best first: the priority of `excludeDuplicates` (store-api.md 2.1). */
export const sources = ['direct', 'bundle', 'subscription', 'promotion'] as const;
export type Source = (typeof sources)[number];

export type KeyKind = 'collections' | 'purchase';

export interface Product {
  productId: string;
  kind: ProductKind;
  /** 0 = free, so that it can be granted. */
  price: number;
  skuId: string;
  availabilityId: string;
  /** What one purchase of a store-managed consumable puts on the balance. */
  unitsPerPurchase: number;
  /** Product ids that come with this one. */
  bundle: string[];
  /** Linked with the publisher's client id in Partner Center; if not, queries leave it out. */
  configured: boolean;
  legacyProductId: string | null;
  /** Game Pass tiers whose subscribers may play this product. */
  gamePassTiers: Tier[];
}

export interface Line {
  orderId: string;
  lineItemId: string;
  productId: string;
  skuId: string;
  availabilityId: string;
  kind: ProductKind;
  /** Purchases in this line; `units` = what they put on the balance, `remaining` = what of it is not consumed. */
  quantity: number;
  units: number;
  remaining: number;
  source: 'direct' | 'bundle';
  /** The bundle that this line came with. */
  bundleId: string | null;
  acquiredAt: number;
  modifiedAt: number;
  state: 'Purchased' | 'Revoked' | 'Refunded';
}

export const orderStates = [
  'Purchased',
  'Editing',
  'CheckingOut',
  'Pending',
  'Refunded',
  'ChargedBack',
  'Canceled',
  'Cancelled',
] as const;
export type OrderState = (typeof orderStates)[number];

export interface Order {
  orderId: string;
  shortOrderId: string;
  orderState: OrderState;
  createdAt: number;
  market: string;
  language: string;
  totalAmount: number;
  devOfferId: string | null;
  lines: Line[];
}

export interface OrderTransaction {
  orderId: string;
  orderLineItemId: string;
  quantityConsumed: number;
}

/** One consume that happened; `times` counts the requests for it, replays included. */
export interface Consume {
  productId: string;
  trackingId: string;
  quantity: number;
  orders: OrderTransaction[];
  at: number;
  times: number;
}

/** An item as the control API injected it: `fields` go to the caller as they are. */
export interface InjectedItem {
  source: Source;
  fields: Record<string, unknown> & { id: string; productId: string; skuId: string };
}

/** What one user owns in one sandbox. */
export interface Account {
  orders: Order[];
  consumes: Consume[];
  injected: InjectedItem[];
}

export interface User {
  name: string;
  /** The encrypted `payload` of a key has this instead of the name, so that a key does not show its user. */
  handle: string;
  /** Keys of an earlier generation are revoked. */
  generation: number;
  gamePass: { tiers: Tier[]; startedAt: number };
  /** By sandbox. */
  accounts: Map<string, Account>;
}

export interface Settings {
  /** Upper bound of every page, whatever the caller asks for. null = the documented limits. */
  maxPageSize: number | null;
  /** Per user, over the operations of store-api.md 6. null = no limit. */
  rateLimit: { operations: number; seconds: number } | null;
  renewExpired: boolean;
  /** How a bad user key is refused: the code alone, or one of the two long-string variants of store-api.md 2.5. */
  badKeyStyle: 'AuthenticationTokenInvalid' | 'AuthenticationFailure' | 'InternalAadAuthenticationError';
  /** How a renewed key is answered: the documentation's tables write `key`, its examples `Key` (store-api.md 1.3). */
  renewedKeyMember: 'key' | 'Key';
  /** The quirk of store-api.md 2.1: `excludeDuplicates` looks at one page only. */
  duplicatesAcrossPages: boolean;
  /** false: what a publisher that Game Pass did not authorise sees (store-api.md 2.2). */
  gamePassAuthorized: boolean;
  /** Show store-managed consumables of which nothing is left, with quantity 0. */
  showEmptyBalances: boolean;
  /** How b2bLicensePreview names the kind; the documentation has both. */
  v8KindMember: 'productKind' | 'productType' | 'both';
  /** The state that a grant ends in; a replay ends in the state set then, and `Purchased` delivers. */
  grantOrderState: OrderState;
  /** Sandboxes that X-tokens may name; null = any. Others are answered 403. */
  xTokenSandboxes: string[] | null;
}

export const defaultSettings: Settings = {
  maxPageSize: null,
  rateLimit: null,
  renewExpired: true,
  badKeyStyle: 'AuthenticationTokenInvalid',
  renewedKeyMember: 'key',
  duplicatesAcrossPages: false,
  gamePassAuthorized: true,
  showEmptyBalances: false,
  v8KindMember: 'productKind',
  grantOrderState: 'Purchased',
  xTokenSandboxes: null,
};

export const emptyAccount: Account = { orders: [], consumes: [], injected: [] };
