import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from '../../local/stack.ts';
import type { ConsumeOrder, ConsumeResult } from '../../src/shared/consume/record.ts';
import { createRecord } from '../../src/shared/fulfilment/machine.ts';
import { inParallel } from '../../src/shared/lib/inParallel.ts';
import { createFulfilmentsTable } from '../../src/shared/state/fulfilments.ts';
import { createTableOpener } from '../../src/shared/state/tables.ts';
import { logReader } from '../support/logReader.ts';
import { functionsClient, players } from './functionsClient.ts';
import { table } from './measure.ts';

const sizes = [100, 1000, 10_000];
const playerCount = 200;
const productId = 'GOLD';
const order: ConsumeOrder = { account: 'default', productId, quantity: 1, managedBy: 'store', sandbox: 'RETAIL' };

/** The time that the recovery timer takes for each pending consume, by how many there are. */
export async function benchRecovery(stack: Stack, logFile: string): Promise<string> {
  stack.store.control.putProduct(productId, { kind: 'Consumable' });
  const service = functionsClient(stack);
  const all = await players(stack, service, playerCount, { productId, quantity: 1_000_000 });
  await service.close();
  const noCredential = { getToken: async () => null };
  const openTable = createTableOpener({ connectionString: stack.azurite.connectionString }, noCredential);
  const consumes = createFulfilmentsTable<ConsumeOrder, ConsumeResult>(openTable, 'Consumes');
  const log = logReader(logFile);

  const rows: string[][] = [];
  let first = 0;
  for (const size of sizes) {
    const longAgo = Date.now() - 3600_000;
    await inParallel(Array.from({ length: size }), 32, async (_, index) => {
      const user = all[index % playerCount]?.user ?? '';
      await consumes.write(
        createRecord<ConsumeOrder, ConsumeResult>(
          user,
          randomUUID(),
          order,
          { creator: randomUUID(), requestIdentity: false },
          longAgo,
        ),
      );
    });
    const from = performance.now();
    const settled = await recoverAll(stack, log);
    const each = (performance.now() - from) / size;
    if (settled !== size) throw new Error(`The recovery settled ${settled} of ${size}.`);
    first ||= each;
    rows.push([String(size), each.toFixed(2), (each / first).toFixed(2)]);
  }
  return table(['pending consumes recovered', 'ms each', `of that at ${sizes[0]}`], rows);
}

/** Runs the timer until a run has time for all of its list. Returns how many records were settled. */
async function recoverAll(stack: Stack, log: () => string): Promise<number> {
  let settled = 0;
  for (;;) {
    log();
    await fetch(`${stack.functionsUrl}/admin/functions/consumeRecovery`, {
      method: 'POST',
      body: '{"input":""}',
      headers: { 'x-functions-key': stack.identities.masterKey, 'content-type': 'application/json' },
    });
    let said = '';
    let run: RegExpExecArray | null = null;
    while (!run) {
      await sleep(50);
      // A line can arrive in parts. Older text is not searched again.
      said = said.slice(-1000) + log();
      run = /\{"event":"run".*\}/.exec(said);
    }
    const counts = JSON.parse(run[0]);
    settled += counts['consume.settled'];
    if (!counts['consume.timeOver']) return settled;
  }
}
