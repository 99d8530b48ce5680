/** The engine with real tables and a Store that answers what the test sets. The clock moves only by the test. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { type RunningAzurite, startAzurite } from '../../local/azurite.ts';
import type { Problem } from '../../src/shared/contract/problems.ts';
import { createRecovery } from '../../src/shared/fulfilment/recovery.ts';
import { createResume } from '../../src/shared/fulfilment/resume.ts';
import { createSubmit } from '../../src/shared/fulfilment/submit.ts';
import type { FulfilmentHandler, Outcome } from '../../src/shared/fulfilment/types.ts';
import type { CallContext } from '../../src/shared/lib/callContext.ts';
import { createFulfilmentsTable, type FulfilmentsTable } from '../../src/shared/state/fulfilments.ts';
import { createTableOpener, type OpenTable } from '../../src/shared/state/tables.ts';
import { storeUnavailable } from '../../src/shared/store/errors.ts';
import { testCall, testClock } from '../support/call.ts';

let azurite: RunningAzurite;
export let openTable: OpenTable;

export function useTables(): void {
  beforeAll(async () => {
    azurite = await startAzurite();
    openTable = createTableOpener({ connectionString: azurite.connectionString }, { getToken: async () => null });
  });
  afterAll(() => azurite.stop());
}

export interface TestRequest {
  account: string;
  what: string;
}
export type TestHandler = FulfilmentHandler<TestRequest, string, string>;
export type TestTable = FulfilmentsTable<TestRequest, string>;

export const done: Outcome<string> = { outcome: 'completed', result: 'done' };
export const refused: Outcome<string> = {
  outcome: 'rejected',
  rejection: {
    code: 'store_rejected',
    store: { status: 400, code: 'InvalidParameter', message: null, correlationId: null, cv: null },
  },
};
export const noAnswer: Problem = storeUnavailable();

export interface EngineOptions {
  handler?: Partial<TestHandler>;
  /** Puts faults before the table. */
  table?: (table: TestTable) => TestTable;
  /** How far this process's clock is ahead of the others'. */
  aheadMs?: number;
  /** The list of the recovery is shared by all engines of a test file: a table of its own keeps counts exact. */
  tableName?: string;
}

export function engineOf({ handler = {}, table = (one) => one, aheadMs = 0, tableName }: EngineOptions = {}) {
  const clock = testClock();
  clock.advance(aheadMs);
  const attempts: string[] = [];
  const published: string[] = [];
  const store: { answer: Outcome<string> | Problem; takesMs: number } = { answer: done, takesMs: 0 };
  const parts = {
    clock,
    table: table(createFulfilmentsTable<TestRequest, string>(openTable, tableName ?? 'Consumes')),
    handler: {
      differingMember: (a, b) => (a.what === b.what ? undefined : 'what'),
      identity: async () => 'someone',
      attempt: async (_, record) => {
        attempts.push(record.leaseId);
        await new Promise((resolve) => setTimeout(resolve, store.takesMs));
        if (store.answer instanceof Error) throw store.answer;
        return store.answer;
      },
      conclude: async (_call, _record, result) => ({ concluded: true, result }),
      publishOutcome: async ({ id }) => {
        published.push(id);
      },
      ...handler,
    } satisfies TestHandler as TestHandler,
  };
  const resume = createResume(parts);
  const run = createSubmit(parts);
  const call = () => testCall({ deadline: clock.now() + 50_000 });
  const recovery = createRecovery([{ name: 'consume', table: parts.table, resume }], clock);
  return {
    ...parts,
    attempts,
    published,
    store,
    resume,
    call,
    recover: () => recovery(testCall({ deadline: clock.now() + 270_000 })),
    submit: (id: string, what = 'r', context: CallContext = call(), requestIdentity?: string) =>
      run(context, 'u', id, { account: 'default', what }, requestIdentity),
  };
}

export const newTableName = (): string => `Test${randomUUID().replaceAll('-', '')}`;
