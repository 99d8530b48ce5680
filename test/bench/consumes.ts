import { randomUUID } from 'node:crypto';
import { AzureNamedKeyCredential, generateAccountSas, TableClient } from '@azure/data-tables';
import { Pool } from 'undici';
import type { Stack } from '../../local/stack.ts';
import { startTableProxy } from '../support/tableProxy.ts';
import { type BenchPlayer, type FunctionsClient, functionsClient, players } from './functionsClient.ts';
import { type Contender, contest, table } from './measure.ts';
import { beneficiary, type StoreClient, storeClient } from './storeClient.ts';

const playerCount = 200;
const productId = 'COINS';

/** Consumes of one unit of one order, against the bare Store call, and against that with as many bare table requests. */
export async function benchConsumes(stack: Stack): Promise<string> {
  stack.store.control.putProduct(productId, { kind: 'Consumable' });
  const service = functionsClient(stack);
  const store = await storeClient(stack);
  const all = await players(stack, service, playerCount, { productId, quantity: 1_000_000 });
  const player = (n: number): BenchPlayer => all[n % playerCount] as BenchPlayer;
  const counted = await straightPath(stack, service, player(0));
  const bare = bareConsume(store);
  const tables = await bareTables(stack.azurite.connectionString);
  const contenders: Contender[] = [
    { name: 'bare Store call', go: (n) => bare(player(n)) },
    {
      name: `with ${counted.requests} bare table requests`,
      async go(n) {
        const row = `row-${randomUUID()}`;
        const first = tables.put(row);
        const inFirstStep = Array.from({ length: counted.requests - counted.steps }, () => tables.get());
        await Promise.all([first, ...inFirstStep]);
        await bare(player(n));
        for (let step = 1; step < counted.steps; step += 1) await tables.put(`${row}-${step}`);
      },
    },
    {
      name: 'consume',
      go: (n) =>
        service.send('POST', '/api/consumables/consume', {
          userId: player(n).user,
          productId,
          trackingId: randomUUID(),
        }),
    },
  ];
  const rows: string[][] = [];
  for (const atOnce of [1, 50]) {
    const figures = await contest(contenders, atOnce, stack.host());
    const [bareFigure, floor] = [...figures.values()];
    for (const [name, { rate, p50, p99, cpu }] of figures) {
      const ratios = [rate / (bareFigure?.rate ?? 0), rate / (floor?.rate ?? 0)];
      const times = [p50, p99, p50 - (bareFigure?.p50 ?? 0), p99 - (bareFigure?.p99 ?? 0)];
      const used = name === 'consume' ? cpu.toFixed(0) : '';
      const numbers = [...ratios, ...times].map((figure) => figure.toFixed(2));
      rows.push([name, String(atOnce), rate.toFixed(0), ...numbers, used]);
    }
  }
  await Promise.all([service.close(), store.close(), tables.close()]);
  const columns = ['per s', 'of bare', 'of floor', 'p50 ms', 'p99 ms', 'p50 added', 'p99 added', 'CPU us each'];
  return [
    table(['consumes of one order', 'at once', ...columns], rows),
    `A consume of one order: ${counted.requests} table requests in ${counted.steps} steps (at most 5 in 3).`,
  ].join('\n');
}

/** Table requests of a consume without faults, counted between the functions and Azurite when caches are filled. */
async function straightPath(stack: Stack, service: FunctionsClient, { user }: BenchPlayer) {
  const direct = stack.azurite.connectionString;
  const proxy = await startTableProxy(direct);
  const consume = () =>
    service.send('POST', '/api/consumables/consume', { userId: user, productId, trackingId: randomUUID() });
  stack.settings.TABLES_CONNECTION_STRING = proxy.connectionString;
  await stack.restartHost();
  await consume();
  // Slow, so that the requests of one step overlap.
  proxy.decideAll(() => ({ does: 'pass', lateMs: 100 }));
  await consume();
  const counted = proxy.count();
  stack.settings.TABLES_CONNECTION_STRING = direct;
  await stack.restartHost();
  await proxy.close();
  return counted;
}

function bareConsume(store: StoreClient): (player: BenchPlayer) => Promise<void> {
  return ({ collectionsId }) =>
    store.post('/v8.0/collections/consume', {
      beneficiary: beneficiary(collectionsId),
      productId,
      trackingId: randomUUID(),
      removeQuantity: 1,
      includeOrderIds: true,
    });
}

/** Table requests alone: one small row is read or written, by the account's SAS. */
async function bareTables(connectionString: string) {
  const {
    AccountName = '',
    AccountKey = '',
    TableEndpoint = '',
  } = Object.fromEntries(connectionString.split(';').map((part) => part.split(/=(.*)/s, 2) as [string, string]));
  const client = TableClient.fromConnectionString(connectionString, 'Bench', { allowInsecureConnection: true });
  await client.createTable();
  await client.upsertEntity({ partitionKey: 'known', rowKey: 'row', text: 'x'.repeat(500) });
  const sas = generateAccountSas(new AzureNamedKeyCredential(AccountName, AccountKey), {
    permissions: { query: true, add: true, update: true, write: true },
    resourceTypes: 'o',
    services: { table: true },
    expiresOn: new Date(Date.now() + 3600_000),
  });
  const { origin, pathname } = new URL(TableEndpoint);
  const pool = new Pool(origin, { connections: 64 });
  const headers = { accept: 'application/json;odata=nometadata', 'content-type': 'application/json' };
  const path = (row: string) => `${pathname}/Bench(PartitionKey='${row}',RowKey='row')?${sas}`;
  const send = async (method: 'GET' | 'PUT', row: string, body?: string) => {
    const answer = await pool.request({ method, path: path(row), headers, ...(body !== undefined && { body }) });
    await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`The tables answered ${answer.statusCode}.`);
  };
  const entity = JSON.stringify({ text: 'x'.repeat(500) });
  return {
    get: () => send('GET', 'known'),
    put: (row: string) => send('PUT', row, entity),
    close: () => pool.close(),
  };
}
