import type { Stack } from '../../local/stack.ts';
import { functionsClient, players } from './functionsClient.ts';
import { type Contender, contest, table } from './measure.ts';
import { beneficiary, storeClient } from './storeClient.ts';

const playerCount = 200;
const products = 50;

/** Entitlement queries of one product, never two equal ones at once, against the bare request to the same Store. */
export async function benchQueries(stack: Stack): Promise<string> {
  for (let index = 0; index < products; index += 1) stack.store.control.putProduct(`P${index}`, { kind: 'Durable' });
  const service = functionsClient(stack);
  const store = await storeClient(stack);
  const all = await players(stack, service, playerCount, { productId: 'P0', quantity: 1 });
  const player = (n: number) => all[n % playerCount];
  const contenders: Contender[] = [
    {
      name: 'bare Store request',
      go: (n) =>
        store.post('/v9.0/collections/publisherQuery', {
          beneficiaries: [beneficiary(player(n)?.collectionsId)],
          productSkuIds: [{ productId: `P${n % products}` }],
          validityType: 'Valid',
          excludeDuplicates: true,
          maxPageSize: 200,
        }),
    },
    {
      name: 'key in request',
      go: (n) =>
        service.send('POST', '/api/entitlements/query', {
          collectionsId: player(n)?.collectionsId,
          products: [`P${n % products}`],
        }),
    },
    {
      name: 'by userId',
      go: (n) =>
        service.send('POST', '/api/entitlements/query', { userId: player(n)?.user, products: [`P${n % products}`] }),
    },
  ];
  const rows: string[][] = [];
  for (const atOnce of [1, 10, 50]) {
    const figures = await contest(contenders, atOnce, stack.host());
    const bare = figures.get('bare Store request')?.rate ?? 0;
    for (const [name, { rate, p50, p99, cpu }] of figures) {
      const used = name === 'bare Store request' ? '' : cpu.toFixed(0);
      const numbers = [rate.toFixed(0), (rate / bare).toFixed(2), p50.toFixed(2), p99.toFixed(2), used];
      rows.push([name, String(atOnce), ...numbers]);
    }
  }
  await Promise.all([service.close(), store.close()]);
  return table(['entitlements, one product', 'at once', 'per s', 'of bare', 'p50 ms', 'p99 ms', 'CPU us each'], rows);
}
