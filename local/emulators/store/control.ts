/** The control functions: what a test or a developer can do to the Store. README.md describes the same over HTTP. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { collectionsRelyingParty, issueKey, readKey, type XToken } from './auth.ts';
import type { FaultInput, ItemInput, KeysInput, ProductInput, PurchaseInput, XTokenInput } from './controlSchemas.ts';
import * as schemas from './controlSchemas.ts';
import { noEnd, storeDate } from './dates.ts';
import type { ArmedFault } from './faults.ts';
import { itemId } from './items.ts';
import { balance, isConsumable, makeOrder } from './ledger.ts';
import { newShortOrderId } from './purchase.ts';
import type { RecordedRequest } from './recorder.ts';
import type { KeyKind, OrderState, Product, Settings } from './types.ts';
import { changeAccount, resetWorld, userNamed, type World } from './world.ts';

export class ControlError extends Error {}

export interface ControlContext {
  world: World;
  faults: ArmedFault[];
  requests: RecordedRequest[];
  counters: Map<string, number>;
}

export type Control = ReturnType<typeof createControl>;

/** Inputs are those of README.md; they are checked, and defaults filled in. Throws ZodError or ControlError, changes nothing then. */
export function createControl(context: ControlContext) {
  return {
    ...keyControl(context),
    ...purchaseControl(context),
    ...itemControl(context),
    ...faultControl(context),
    ...stateControl(context),
  };
}

function keyControl({ world }: ControlContext) {
  return {
    /** Makes a user's keys. They are stored nowhere. */
    createKeys(input: KeysInput): { collectionsId?: string; purchaseId?: string } {
      const wanted = parse(schemas.keysInput, input);
      const user = userNamed(world, wanted.user);
      const iat = Math.floor((wanted.issuedAt === undefined ? world.now() : Date.parse(wanted.issuedAt)) / 1000);
      const make = (kind: KeyKind): string =>
        issueKey(world, user, {
          kind,
          iat,
          exp: iat + Math.round(wanted.lifetimeDays * 24 * 3600),
          clientId: wanted.clientId ?? world.publisherClientId,
          userId: wanted.omitUserId ? null : (wanted.publisherUserId ?? wanted.user),
          refreshUri: wanted.refreshUri,
        });
      return {
        ...(wanted.kinds.includes('collections') ? { collectionsId: make('collections') } : {}),
        ...(wanted.kinds.includes('purchase') ? { purchaseId: make('purchase') } : {}),
      };
    },

    /** Revokes one key, or all keys that a user has until now. */
    revokeKeys(input: { key: string } | { user: string }): void {
      const wanted = parse(schemas.revokeInput, input);
      if (wanted.user !== undefined) userNamed(world, wanted.user).generation += 1;
      if (wanted.key === undefined) return;
      const claims = world.ring.read(wanted.key);
      const read = 'refused' in claims ? claims : readKey(world, claims.kind, wanted.key);
      if ('refused' in read) throw new ControlError(`Not a valid key: ${read.refused}`);
      world.revokedKeys.add(read.keyId);
    },

    createXToken(input: XTokenInput): { userHash: string; token: string } {
      const wanted = parse(schemas.xTokenInput, input);
      const xToken: XToken = {
        user: userNamed(world, wanted.user).handle,
        userHash: String(randomBytes(8).readBigUInt64BE()),
        sandbox: wanted.sandbox,
        relyingParty: wanted.relyingParty ?? collectionsRelyingParty,
        expiresAt: wanted.expiresAt === undefined ? world.now() + 8 * 3600 * 1000 : Date.parse(wanted.expiresAt),
      };
      return { userHash: xToken.userHash, token: world.ring.encrypt(xToken) };
    },
  };
}

function purchaseControl({ world }: ControlContext) {
  return {
    putProduct(productId: string, input: ProductInput): Product {
      const { legacyProductId, availabilityId, ...rest } = parse(schemas.productInput, input);
      const product: Product = {
        ...rest,
        productId,
        legacyProductId: legacyProductId ?? null,
        availabilityId: availabilityId ?? `${productId}-A1`,
      };
      world.catalog.set(productId, product);
      return product;
    },

    purchase(input: PurchaseInput) {
      const wanted = parse(schemas.purchaseInput, input);
      const product = world.catalog.get(wanted.productId);
      if (!product) throw new ControlError(`No product ${wanted.productId}: PUT /emulator/products/{productId} first.`);
      const order = makeOrder(world.catalog, {
        orderId: randomUUID(),
        lineItemId: randomUUID(),
        shortOrderId: newShortOrderId(),
        orderState: 'Purchased' satisfies OrderState,
        product,
        quantity: wanted.quantity,
        at: wanted.acquiredAt === undefined ? world.now() : Date.parse(wanted.acquiredAt),
      });
      const user = userNamed(world, wanted.user);
      changeAccount(user, wanted.sandbox, (account) => ({ ...account, orders: [...account.orders, order] }));
      const lines = order.lines.map(({ lineItemId, productId, skuId, quantity, units }) => ({
        lineItemId,
        productId,
        skuId,
        quantity,
        units,
      }));
      return { orderId: order.orderId, shortOrderId: order.shortOrderId, lines };
    },
  };
}

/** What queries show without a purchase. */
function itemControl({ world }: ControlContext) {
  return {
    /** Adds an item that queries show as it is here. Missing members get plausible values. Returns the whole item. */
    addItem(input: ItemInput): Record<string, unknown> {
      const { user: name, sandbox, source, ...given } = parse(schemas.itemInput, input);
      const user = userNamed(world, name);
      const product = world.catalog.get(given.productId);
      const now = storeDate(world.now());
      const fields = {
        productKind: product?.kind ?? 'Durable',
        status: 'Active',
        quantity: 1,
        acquiredDate: now,
        startDate: now,
        endDate: noEnd,
        modifiedDate: now,
        acquisitionType: source === 'subscription' ? 'Recurring' : 'Single',
        satisfiedByProductIds: [],
        tags: {},
        trialData: { isTrial: false, isInTrialPeriod: false },
        ...given,
        id: given.id ?? itemId(user, sandbox, given.productId, randomUUID()),
        skuId: given.skuId ?? product?.skuId ?? '0010',
      };
      changeAccount(user, sandbox, (account) => ({ ...account, injected: [...account.injected, { source, fields }] }));
      return fields;
    },

    putGamePass(name: string, input: z.input<typeof schemas.gamePassInput>): void {
      const { tiers, startDate } = parse(schemas.gamePassInput, input);
      const startedAt = startDate === undefined ? world.now() : Date.parse(startDate);
      userNamed(world, name).gamePass = { tiers, startedAt };
    },
  };
}

function faultControl({ world, faults }: ControlContext) {
  const addFault = (input: FaultInput): { id: string } => {
    const fault: ArmedFault = { id: randomUUID(), ...parse(schemas.faultInput, input) };
    faults.push(fault);
    return { id: fault.id };
  };
  return {
    addFault,

    clearFaults(): void {
      faults.length = 0;
    },

    putSettings(input: z.input<typeof schemas.settingsInput>): Settings {
      const { nextConsumeDelayMs, ...given } = parse(schemas.settingsInput, input);
      if (nextConsumeDelayMs !== undefined) addFault({ operation: 'consume', latencyMs: nextConsumeDelayMs });
      const changed = Object.entries(given).filter(([, value]) => value !== undefined);
      world.settings = { ...world.settings, ...Object.fromEntries(changed) };
      return world.settings;
    },
  };
}

function stateControl({ world, faults, requests, counters }: ControlContext) {
  return {
    /** Removes users, products, orders, faults and recorded requests. Earlier keys are invalid. */
    reset(): void {
      resetWorld(world);
      faults.length = 0;
      requests.length = 0;
      counters.clear();
    },

    /** The whole state without keys and tokens. */
    state() {
      return {
        ...shownWorld(world),
        faults: faults.map((fault) => ({ ...fault })),
        counters: Object.fromEntries(counters),
        requests: requests.slice(-200),
      };
    },
  };
}

function shownWorld(world: World) {
  const accounts = [...world.users.values()].flatMap((user) =>
    [...user.accounts].map(([sandbox, account]) => ({ user: user.name, sandbox, account })),
  );
  return {
    settings: world.settings,
    products: [...world.catalog.values()],
    users: [...world.users.values()].map(({ name, gamePass, accounts: bySandbox }) => ({
      user: name,
      gamePass: gamePass.tiers,
      balances: Object.fromEntries(
        [...bySandbox].map(([sandbox, account]) => [
          sandbox,
          Object.fromEntries(
            account.orders
              .flatMap((order) => order.lines)
              .filter(isConsumable)
              .map((line) => [line.productId, balance(account, line)]),
          ),
        ]),
      ),
    })),
    orders: accounts.flatMap(({ user, sandbox, account }) =>
      account.orders.map((order) => ({ user, sandbox, ...order })),
    ),
    consumes: accounts.flatMap(({ user, sandbox, account }) =>
      account.consumes.map((consume) => ({ user, sandbox, ...consume })),
    ),
    items: accounts.flatMap(({ user, sandbox, account }) =>
      account.injected.map(({ source, fields }) => ({ user, sandbox, source, ...fields })),
    ),
  };
}

function parse<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  return schema.parse(input);
}
