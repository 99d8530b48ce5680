import type { GrantBody, GrantView } from '../contract/grants.ts';
import { Problem } from '../contract/problems.ts';
import { recordPath, rejectionProblem } from '../fulfilment/answer.ts';
import type { Engine } from '../fulfilment/engine.ts';
import type { Answer } from '../http/serve.ts';
import type { Call } from '../lib/callContext.ts';
import type { FulfilmentsTable } from '../state/fulfilments.ts';
import type { HeldKey } from '../store/authorize.ts';
import { type GrantOrder, type GrantResult, grantView } from './handler.ts';

export interface Grants {
  /** 201, 200 (replayed) or 202. @throws Problem of the rejection, tracking_id_reused, unknown_user, store_id_expired, unavailable */
  grant(call: Call, body: GrantBody): Promise<Answer>;
  /** @throws Problem not_found, unavailable */
  record(userId: string, orderId: string): Promise<GrantView>;
}

export function grants(
  engine: Engine<GrantOrder, GrantResult, HeldKey>,
  table: FulfilmentsTable<GrantOrder, GrantResult>,
  sandbox: string,
): Grants {
  return {
    async grant(call, { userId, orderId, ...order }) {
      const { record, replayed } = await engine.submit(call, userId, orderId, { ...order, sandbox });
      if (record.rejection) throw rejectionProblem(record.rejection);
      const view = grantView(record, replayed);
      if (view.state === 'completed') return { status: replayed ? 200 : 201, body: view };
      return { status: 202, body: view, headers: recordPath('grants', userId, orderId) };
    },
    async record(userId, orderId) {
      const record = await table.get(userId, orderId);
      if (!record || record.state === 'void') throw new Problem('not_found', 'There is no such grant.');
      return grantView(record, false);
    },
  };
}
