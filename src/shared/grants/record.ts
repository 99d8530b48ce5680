import type { GrantBody, GrantView } from '../contract/grants.ts';
import { Problem } from '../contract/problems.ts';
import { isSameId } from '../lib/ids.ts';
import type { FulfilmentRecord, FulfilmentsTable } from '../state/fulfilments.ts';

/** The request to the Store, exactly the same in every attempt. */
export type GrantOrder = Omit<GrantBody, 'userId' | 'orderId'> & { sandbox: string };

export interface GrantResult {
  orderState: string;
  lineItems: { lineItemId: string; productId: string; skuId: string | null; quantity: number }[];
}

export type GrantRecord = FulfilmentRecord<GrantOrder, GrantResult>;

/** The member in which a repeat differs (http-api.md 2.5). */
export function differingMember(a: GrantOrder, b: GrantOrder): string | undefined {
  const id = (['productId', 'skuId', 'availabilityId'] as const).find((member) => !isSameId(a[member], b[member]));
  return id ?? (a.account === b.account ? undefined : 'account');
}

/** The record as callers see it. */
export function grantView(record: GrantRecord, replayed: boolean): GrantView {
  const { userId, id, request, result, rejection, createdAt, settledAt, reason } = record;
  const { account, productId, skuId, availabilityId } = request;
  const common = { orderId: id, userId, account, productId, skuId };
  const time = new Date(settledAt ?? createdAt).toISOString();
  if (record.state === 'completed' && result) {
    return { state: 'completed', ...common, ...result, replayed, completedAt: time };
  }
  if (record.state === 'rejected' && rejection) {
    return { state: 'rejected', ...common, availabilityId, ...rejection, rejectedAt: time };
  }
  return { state: 'pending', ...common, availabilityId, since: time, reason: reason ?? 'in_progress' };
}

/** @throws Problem not_found, unavailable */
export async function readGrant(
  table: Pick<FulfilmentsTable<GrantOrder, GrantResult>, 'get'>,
  userId: string,
  orderId: string,
): Promise<GrantView> {
  const record = await table.get(userId, orderId);
  if (!record || record.state === 'void') throw new Problem('not_found', 'There is no such grant.');
  return grantView(record, false);
}
