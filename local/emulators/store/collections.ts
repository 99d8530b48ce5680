/** publisherQuery v9 and b2bLicensePreview v8 (store-api.md 2.1 to 2.3). */
import { createHash } from 'node:crypto';
import { type Beneficiary, requireBeneficiary, requireService, requireXToken } from './auth.ts';
import { invalidParameter } from './errors.ts';
import { accountItems, tierProducts } from './items.ts';
import { type Call, countForRateLimit, type Operation, requireString, sandboxOf } from './operation.ts';
import {
  type Item,
  page,
  type Selection,
  select,
  type ValidityType,
  validityTypes,
  withoutDuplicates,
} from './query.ts';
import { accountOf } from './world.ts';

const productLimit = 100;
const defaultPageSize = 100;
const passProducts = new Set(Object.values(tierProducts));

export const publisherQuery: Operation = (call) => {
  const caller = requireCaller(call);
  const products = requireProducts(call.body, true);
  return answer(call, caller, { products, validity: validityOf(call.body) }, 200, (item) => item.fields);
};

export const b2bLicensePreview: Operation = (call) => {
  const caller = requireCaller(call);
  requireString(call.body, 'market');
  const { entitlementFilters, expandSatisfyingItems } = call.body;
  const products = requireProducts(call.body, false);
  const expanded = (item: Item): boolean => expandSatisfyingItems === true || item.source === 'direct';
  const selection: Selection = {
    products,
    kinds: Array.isArray(entitlementFilters)
      ? entitlementFilters.map((filter) => String(filter).replace(/^.*:/, ''))
      : undefined,
    validity: validityOf(call.body),
  };
  const items = {
    ...caller,
    items: caller.items.filter((item) => expanded(item) && !passProducts.has(item.productId)),
  };
  return answer(call, items, selection, 100, (item) => previewFields(call, item));
};

interface Caller {
  users: string[];
  items: Item[];
}

/** Every item of every user that the request may see. An X-token names user and sandbox, then the body must not (store-api.md 1.4). */
function requireCaller(call: Call): Caller {
  const { world, body, authorization } = call;
  const view = { catalog: world.catalog, settings: world.settings };
  if (/^XBL3\.0 /i.test(authorization ?? '')) {
    const { user, sandbox } = requireXToken(world, authorization ?? '');
    const foreign = ['beneficiaries', 'beneficiary', 'sbx'].filter((name) => body[name] !== undefined);
    if (foreign.length > 0) throw invalidParameter(foreign, 'Not allowed with a delegated token.');
    countForRateLimit(world, user);
    const account = accountOf(user, sandbox);
    return { users: [user.handle], items: accountItems({ ...view, user, account, sandbox, owner: '' }) };
  }
  const appid = requireService(world, call.verify, authorization);
  const sandbox = sandboxOf(body);
  const beneficiaries = requireBeneficiaries(call, appid);
  for (const { user } of beneficiaries) countForRateLimit(world, user);
  // Another publisher's app sees that publisher's products alone, and there are none here.
  const ownProducts = appid === world.publisherClientId;
  return {
    users: beneficiaries.map(({ user }) => user.handle),
    items: beneficiaries.flatMap(({ user, reference }) =>
      ownProducts ? accountItems({ ...view, user, account: accountOf(user, sandbox), sandbox, owner: reference }) : [],
    ),
  };
}

function requireBeneficiaries({ world, body }: Call, appid: string): Beneficiary[] {
  const { beneficiaries } = body;
  if (!Array.isArray(beneficiaries) || beneficiaries.length === 0)
    throw invalidParameter(['beneficiaries'], 'At least one beneficiary is required.');
  return beneficiaries.map((one, index) => requireBeneficiary(world, appid, one, `beneficiaries[${index}]`));
}

function requireProducts(body: Record<string, unknown>, required: boolean): Selection['products'] {
  const list = body.productSkuIds;
  if ((list === undefined || list === null) && !required) return undefined;
  if (!Array.isArray(list) || (required && list.length === 0))
    throw invalidParameter(['productSkuIds'], 'Product ids are required.');
  if (list.length > productLimit) throw invalidParameter(['productSkuIds'], `At most ${productLimit} products.`);
  return list.map((one, index) => {
    const { productId, skuId } = (one ?? {}) as Record<string, unknown>;
    if (typeof productId !== 'string' || productId === '')
      throw invalidParameter([`productSkuIds[${index}].productId`], 'The product id is missing.');
    return { productId, skuId: typeof skuId === 'string' ? skuId : undefined };
  });
}

function validityOf(body: Record<string, unknown>): ValidityType {
  const value = body.validityType ?? 'All';
  const known = validityTypes.find((type) => type === value);
  if (!known) throw invalidParameter(['validityType'], 'The validity type is not known.');
  return known;
}

function answer(call: Call, caller: Caller, selection: Selection, limit: number, fields: (item: Item) => unknown) {
  const { world, body } = call;
  const request = requestHash(body, caller.users);
  const offset = offsetOf(body.continuationToken, request);
  const size = Math.min(pageSize(body.maxPageSize, limit), world.settings.maxPageSize ?? limit);
  const found = select(caller.items, selection, world.now());
  const perPage = body.excludeDuplicates === true && world.settings.duplicatesAcrossPages;
  const whole = body.excludeDuplicates === true && !perPage ? withoutDuplicates(found) : found;
  const { items, next } = page(whole, offset, size, perPage ? withoutDuplicates : undefined);
  return {
    status: 200,
    body: {
      ...(next === undefined ? {} : { continuationToken: JSON.stringify({ next, request }) }),
      items: items.map(fields),
    },
  };
}

function pageSize(value: unknown, limit: number): number {
  if (value === undefined || value === null) return defaultPageSize;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > limit)
    throw invalidParameter(['maxPageSize'], `The page size must be from 1 to ${limit}.`);
  return value;
}

/** Equal for a request and its follow-ups: same users, same members in any order. A renewed key of the same user is accepted. */
function requestHash(body: Record<string, unknown>, users: string[]): string {
  const { continuationToken: _, beneficiaries: __, ...rest } = body;
  return createHash('sha256')
    .update(canonical([users, rest]))
    .digest('base64url');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

function offsetOf(token: unknown, request: string): number {
  if (token === undefined || token === null || token === '') return 0;
  const bad = invalidParameter(['continuationToken'], 'The continuation token is not that of this request.');
  if (typeof token !== 'string') throw bad;
  let read: { next?: unknown; request?: unknown } | null;
  try {
    read = JSON.parse(token);
  } catch {
    throw bad;
  }
  if (typeof read?.next !== 'number' || !Number.isInteger(read.next) || read.request !== request) throw bad;
  return read.next;
}

function previewFields({ world, body }: Call, item: Item): Record<string, unknown> {
  const { productKind, ...fields } = item.fields;
  const { v8KindMember } = world.settings;
  return {
    ...fields,
    ...(v8KindMember === 'productType' ? {} : { productKind }),
    ...(v8KindMember === 'productKind' ? {} : { productType: productKind }),
    // A recurrence is an object here, and an empty one if there is none (store-api.md 2.1, 2.3).
    recurrenceData: typeof fields.recurrenceData === 'string' ? { recurrenceId: fields.recurrenceData } : {},
    localTicketReference: item.owner,
    productFamily: item.kind === 'Application' ? 'Apps' : 'Games',
    purchasedCountry: body.market === 'neutral' ? 'US' : body.market,
  };
}
