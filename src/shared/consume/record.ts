import type { ConsumeBody, ConsumeView } from '../contract/consume.ts';
import { Problem } from '../contract/problems.ts';
import type { FulfilmentRecord, FulfilmentsTable } from '../state/fulfilments.ts';

/** The request to the Store, exactly the same in every attempt. */
export interface ConsumeOrder {
  account: string;
  productId: string;
  quantity: number;
  managedBy: 'store' | 'developer';
  sandbox: string;
  /** The first request came with an X-token, which is not stored. */
  byXToken?: true;
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
}

export type ConsumeRecord = FulfilmentRecord<ConsumeOrder, ConsumeResult>;

export function orderOf(body: ConsumeBody, sandbox: string): ConsumeOrder {
  const { account, productId, quantity, managedBy, xToken } = body;
  return { account, productId, quantity, managedBy, sandbox, ...(xToken && { byXToken: true }) };
}

/** Whether a repeat asks for the same (http-api.md 2.4). The sandbox is a setting, not part of the request. */
export function isSameOrder(a: ConsumeOrder, b: ConsumeOrder): boolean {
  return (
    a.account === b.account && a.productId === b.productId && a.quantity === b.quantity && a.managedBy === b.managedBy
  );
}

/** The record as callers see it. */
export function consumeView(record: ConsumeRecord, replayed: boolean): ConsumeView {
  const { userId, id, request, result, rejection, createdAt, settledAt } = record;
  const { account, productId, managedBy, quantity } = request;
  const common = { trackingId: id, userId, account, productId, managedBy, quantity };
  const time = new Date(settledAt ?? createdAt).toISOString();
  if (record.state === 'completed' && result) {
    return { state: 'completed', ...common, ...result, replayed, completedAt: time };
  }
  if (record.state === 'rejected' && rejection) {
    return { state: 'rejected', ...common, ...rejection, rejectedAt: time };
  }
  return { state: 'pending', ...common, since: time };
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
