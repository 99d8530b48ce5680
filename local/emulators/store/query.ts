/** Selection, duplicates and pages of a collections query. Pure (store-api.md 2.1). */
import { type Source, sources } from './types.ts';

/** An item on its way to the caller: `fields` is what is sent, the rest is what selection needs. Times in ms. */
export interface Item {
  source: Source;
  productId: string;
  skuId: string;
  kind: string;
  status: string;
  startsAt: number;
  endsAt: number;
  modifiedAt: number;
  /** Whose it is: `localTicketReference` of the beneficiary. */
  owner: string;
  fields: Record<string, unknown>;
}

export const validityTypes = ['All', 'Valid', 'Invalid', 'NotYetEnded', 'NotYetStarted'] as const;
export type ValidityType = (typeof validityTypes)[number];

export interface Selection {
  /** Absent = everything. */
  products?: { productId: string; skuId?: string | undefined }[] | undefined;
  /** Absent = every kind; compared without case. */
  kinds?: string[] | undefined;
  validity: ValidityType;
}

export function select(items: Item[], selection: Selection, now: number): Item[] {
  const skus = new Map<string, Set<string> | 'all'>();
  // Ids are compared without case.
  for (const { productId, skuId } of selection.products ?? []) {
    const id = productId.toLowerCase();
    const known = skus.get(id);
    if (skuId === undefined || known === 'all') skus.set(id, 'all');
    else skus.set(id, new Set([...(known ?? []), skuId.toLowerCase()]));
  }
  const wantedKinds = selection.kinds && new Set(selection.kinds.map((kind) => kind.toLowerCase()));
  return items.filter((item) => {
    if (selection.products) {
      const wanted = skus.get(item.productId.toLowerCase());
      if (wanted === undefined || (wanted !== 'all' && !wanted.has(item.skuId.toLowerCase()))) return false;
    }
    if (wantedKinds && !wantedKinds.has(item.kind.toLowerCase())) return false;
    return hasValidity(item, selection.validity, now);
  });
}

function hasValidity(item: Item, validity: ValidityType, now: number): boolean {
  const valid = item.status === 'Active' && item.startsAt <= now && now < item.endsAt;
  switch (validity) {
    case 'All':
      return true;
    case 'Valid':
      return valid;
    case 'Invalid':
      return !valid;
    case 'NotYetEnded':
      return now < item.endsAt;
    case 'NotYetStarted':
      return now < item.startsAt;
  }
}

/** Of each product and SKU of an owner the best: `Active`, then invalid ones by the latest change, then `Revoked`; among equals by source. */
export function withoutDuplicates(items: Item[]): Item[] {
  const best = new Map<string, Item>();
  for (const item of items) {
    const key = JSON.stringify([item.owner, item.productId.toLowerCase(), item.skuId.toLowerCase()]);
    const known = best.get(key);
    if (!known || isBetter(item, known)) best.set(key, item);
  }
  const kept = new Set(best.values());
  return items.filter((item) => kept.has(item));
}

function isBetter(item: Item, known: Item): boolean {
  const byRank = rank(item) - rank(known);
  if (byRank !== 0) return byRank < 0;
  const later = item.modifiedAt - known.modifiedAt || item.endsAt - known.endsAt;
  if (rank(item) === 1 && later !== 0) return later > 0;
  const bySource = sources.indexOf(item.source) - sources.indexOf(known.source);
  return bySource !== 0 ? bySource < 0 : later > 0;
}

function rank(item: Item): number {
  if (item.status === 'Active') return 0;
  return item.status === 'Revoked' ? 2 : 1;
}

/**
 * One page from `offset` on; `next` is absent after the last. With `dedupePage` the duplicates of this page alone are left out,
 * so a page can be shorter than `size` and a duplicate can come on a later one.
 */
export function page<T>(
  items: readonly T[],
  offset: number,
  size: number,
  dedupePage?: (items: T[]) => T[],
): { items: T[]; next?: number } {
  const slice = items.slice(offset, offset + size);
  const shown = dedupePage ? dedupePage(slice) : slice;
  return offset + size < items.length ? { items: shown, next: offset + size } : { items: shown };
}
