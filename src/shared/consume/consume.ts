import type { ConsumeBody, ConsumeView } from '../contract/consume.ts';
import { Problem } from '../contract/problems.ts';
import { recordPath, rejectionProblem } from '../fulfilment/answer.ts';
import type { Engine } from '../fulfilment/engine.ts';
import type { Answer } from '../http/serve.ts';
import type { Call } from '../lib/callContext.ts';
import type { FulfilmentsTable } from '../state/fulfilments.ts';
import type { ConsumeIdentity } from './handler.ts';
import { type ConsumeOrder, type ConsumeResult, consumeView, orderOf } from './record.ts';

export interface Consumes {
  /** 200 or 202. @throws Problem of the rejection, tracking_id_reused, unknown_user, store_id_expired, unavailable */
  consume(call: Call, body: ConsumeBody): Promise<Answer>;
  /** @throws Problem not_found, unavailable */
  record(userId: string, trackingId: string): Promise<ConsumeView>;
}

export function consumes(
  engine: Engine<ConsumeOrder, ConsumeResult, ConsumeIdentity>,
  table: FulfilmentsTable<ConsumeOrder, ConsumeResult>,
  sandbox: string,
): Consumes {
  return {
    async consume(call, body) {
      const { userId, trackingId, xToken } = body;
      const given = xToken && { xToken };
      const { record, replayed } = await engine.submit(call, userId, trackingId, orderOf(body, sandbox), given);
      if (record.rejection) throw rejectionProblem(record.rejection);
      const view = consumeView(record, replayed);
      if (view.state === 'completed') return { status: 200, body: view };
      return { status: 202, body: view, headers: recordPath('consumables/consume', userId, trackingId) };
    },
    async record(userId, trackingId) {
      const record = await table.get(userId, trackingId);
      if (!record || record.state === 'void') throw new Problem('not_found', 'There is no such consume.');
      return consumeView(record, false);
    },
  };
}
