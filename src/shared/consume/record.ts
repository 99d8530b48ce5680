import type { ConsumeBody, ConsumeView } from '../contract/consume.ts';
import { Problem } from '../contract/problems.ts';
import { isSameId } from '../lib/ids.ts';
import type { FulfilmentRecord, FulfilmentsTable } from '../state/fulfilments.ts';

/** The request to the Store, exactly the same in every attempt. */
export interface ConsumeOrder {
  account: string;
  productId: string;
  quantity: number;
  managedBy: 'store' | 'developer';
  sandbox: string;
}

/** A part of a purchase that was consumed. `matchedBy`: found by orders/query, since the Store's own answer was lost. */
export interface ConsumedLine {
  orderId: string;
  lineItemId: string;
  quantity: number;
  matchedBy?: 'orders';
}

export interface ConsumeResult {
  newQuantity: number;
  orders: ConsumedLine[];
  /** In a pending record: how far the rest is done. */
  progress?: ConsumeProgress;
}

/** What remains to be done once the Store has consumed. */
export interface ConsumeProgress {
  /** Lines of `orders` that are claimed, from the first. */
  claimedLines?: number;
  /** Units of the line that was matched: its claim is compared with those of others, who may have matched it at the same time. */
  lineQuantity?: number;
  /** The Store had done it at this time (epoch ms): what was bought later is not what was consumed. */
  doneBy?: number;
  /** The search for a free line goes on after the line of this key: other consumes claim the lines before it. */
  searchedTo?: string;
}

export type ConsumeRecord = FulfilmentRecord<ConsumeOrder, ConsumeResult>;

export function orderOf(body: ConsumeBody, sandbox: string): ConsumeOrder {
  const { account, productId, quantity, managedBy } = body;
  return { account, productId, quantity, managedBy, sandbox };
}

/** The member in which a repeat differs (http-api.md 2.4). The sandbox is a setting, not part of the request. */
export function differingMember(a: ConsumeOrder, b: ConsumeOrder): string | undefined {
  if (!isSameId(a.productId, b.productId)) return 'productId';
  return (['quantity', 'managedBy', 'account'] as const).find((member) => a[member] !== b[member]);
}

/** The record as callers see it. */
export function consumeView(record: ConsumeRecord, replayed: boolean): ConsumeView {
  const { userId, id, request, result, rejection, createdAt, settledAt, reason } = record;
  const { account, productId, managedBy, quantity } = request;
  const common = { trackingId: id, userId, account, productId, managedBy, quantity };
  const time = new Date(settledAt ?? createdAt).toISOString();
  if (record.state === 'completed' && result) {
    const { newQuantity, orders } = result;
    return { state: 'completed', ...common, newQuantity, orders, replayed, completedAt: time };
  }
  if (record.state === 'rejected' && rejection) {
    return { state: 'rejected', ...common, ...rejection, rejectedAt: time };
  }
  return { state: 'pending', ...common, since: time, reason: reason ?? 'in_progress' };
}

/** @throws Problem not_found, unavailable */
export async function readConsume(
  table: Pick<FulfilmentsTable<ConsumeOrder, ConsumeResult>, 'get'>,
  userId: string,
  trackingId: string,
): Promise<ConsumeView> {
  const record = await table.get(userId, trackingId);
  if (!record || record.state === 'void') throw new Problem('not_found', 'There is no such consume.');
  return consumeView(record, false);
}
