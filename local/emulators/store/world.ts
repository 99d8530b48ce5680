import { randomBytes } from 'node:crypto';
import { createKeyRing, type KeyMaterial, type KeyRing, newKeyMaterial } from './keys.ts';
import { type Account, defaultSettings, emptyAccount, type Product, type Settings, type User } from './types.ts';

/** All mutable state of the emulator: what each user owns, and the keys of the Store. */
export interface World {
  ring: KeyRing;
  readonly publisherClientId: string;
  readonly now: () => number;
  settings: Settings;
  catalog: Map<string, Product>;
  users: Map<string, User>;
  /** The same users by handle. */
  handles: Map<string, User>;
  /** Ids of single revoked keys. */
  revokedKeys: Set<string>;
  /** When each user (by handle) made the calls that count for the rate limit, in ms. */
  activity: Map<string, number[]>;
}

/** What `exportState` gives and `importState` takes: JSON. It holds the private key of the emulated Store, which no one else trusts. */
export interface SavedWorld {
  version: 1;
  keys: KeyMaterial;
  settings: Settings;
  products: Product[];
  users: (Omit<User, 'accounts'> & { accounts: [sandbox: string, account: Account][] })[];
  revokedKeys: string[];
}

export function createWorld(publisherClientId: string, now: () => number): World {
  return { ring: createKeyRing(newKeyMaterial()), publisherClientId, now, ...emptyWorld() };
}

function emptyWorld(): Pick<World, 'settings' | 'catalog' | 'users' | 'handles' | 'revokedKeys' | 'activity'> {
  return {
    settings: { ...defaultSettings },
    catalog: new Map(),
    users: new Map(),
    handles: new Map(),
    revokedKeys: new Set(),
    activity: new Map(),
  };
}

/** No users, no products, default settings. Earlier keys are invalid, since their users no longer exist. */
export function resetWorld(world: World): void {
  Object.assign(world, emptyWorld());
}

/** The user of this name, created if there is none. */
export function userNamed(world: World, name: string): User {
  const known = world.users.get(name);
  if (known) return known;
  const user: User = {
    name,
    handle: randomBytes(16).toString('hex'),
    generation: 0,
    gamePass: { tiers: [], startedAt: 0 },
    accounts: new Map(),
  };
  addUser(world, user);
  return user;
}

function addUser(world: World, user: User): void {
  world.users.set(user.name, user);
  world.handles.set(user.handle, user);
}

export function userByHandle(world: World, handle: unknown): User | undefined {
  return typeof handle === 'string' ? world.handles.get(handle) : undefined;
}

/** The product with this id, which is compared without case, as the Store does. */
export function productNamed(catalog: ReadonlyMap<string, Product>, productId: string): Product | undefined {
  const exact = catalog.get(productId);
  if (exact) return exact;
  const wanted = productId.toLowerCase();
  return [...catalog.values()].find((product) => product.productId.toLowerCase() === wanted);
}

export function accountOf(user: User, sandbox: string): Account {
  return user.accounts.get(sandbox) ?? emptyAccount;
}

export function changeAccount(user: User, sandbox: string, change: (account: Account) => Account): void {
  user.accounts.set(sandbox, change(accountOf(user, sandbox)));
}

export function saveWorld(world: World): SavedWorld {
  return {
    version: 1,
    keys: world.ring.material,
    settings: world.settings,
    products: [...world.catalog.values()],
    users: [...world.users.values()].map((user) => ({ ...user, accounts: [...user.accounts] })),
    revokedKeys: [...world.revokedKeys],
  };
}

/** Replaces this world by a saved one. Throws if it is not of a version that this emulator writes. */
export function restoreWorld(world: World, saved: SavedWorld): void {
  if (saved.version !== 1) throw new Error(`The saved Store is of version ${String(saved.version)}, not 1.`);
  Object.assign(world, emptyWorld(), {
    ring: createKeyRing(saved.keys),
    settings: { ...defaultSettings, ...saved.settings },
    catalog: new Map(saved.products.map((product) => [product.productId, product])),
    revokedKeys: new Set(saved.revokedKeys),
  });
  for (const user of saved.users) addUser(world, { ...user, accounts: new Map(user.accounts) });
}
