import { Agent, Pool } from 'undici';
import type { Stack } from '../../local/stack.ts';
import { type Contender, contest, table } from './measure.ts';

const players = 200;
const products = 50;

/** Entitlement queries of one product, none of them alike at the same time, against the bare request to the same Store. */
export async function benchQueries(stack: Stack): Promise<string> {
  const users = Array.from({ length: players }, (_, at) => `bench-${at}`);
  for (let at = 0; at < products; at += 1) stack.store.control.putProduct(`P${at}`, { kind: 'Durable' });
  const keys = users.map((user) => {
    stack.store.control.purchase({ user, productId: 'P0' });
    return stack.store.control.createKeys({ user });
  });
  const service = new Pool(stack.functionsUrl, { connections: 64 });
  const storeAgent = new Agent({ connections: 100, connect: { ca: stack.ca } });
  const functionsHeaders = { 'x-functions-key': stack.identities.functionKey };
  const post = async (path: string, body: object, method: 'POST' | 'PUT' = 'POST') => {
    const answer = await service.request({ method, path, headers: functionsHeaders, body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`);
  };
  for (const [at, user] of users.entries()) await post(`/api/users/${user}/store-ids`, keys[at] ?? {}, 'PUT');

  const bearer = await serviceToken(stack, storeAgent);
  const contenders: Contender[] = [
    {
      name: 'bare Store request',
      go: async (n) => {
        const answer = await storeAgent.request({
          ...{ origin: stack.store.collectionsUrl, path: '/v9.0/collections/publisherQuery', method: 'POST' },
          headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
          body: JSON.stringify({
            beneficiaries: [
              { identityType: 'b2b', identityValue: keys[n % players]?.collectionsId, localTicketReference: '' },
            ],
            productSkuIds: [{ productId: `P${n % products}` }],
            ...{ validityType: 'Valid', excludeDuplicates: true, maxPageSize: 200 },
          }),
        });
        JSON.parse(await answer.body.text());
        if (answer.statusCode !== 200) throw new Error(`The Store answered ${answer.statusCode}.`);
      },
    },
    {
      name: 'raw key',
      go: (n) =>
        post('/api/entitlements/query', {
          collectionsId: keys[n % players]?.collectionsId,
          products: [`P${n % products}`],
        }),
    },
    {
      name: 'by userId',
      go: (n) => post('/api/entitlements/query', { userId: users[n % players], products: [`P${n % products}`] }),
    },
  ];
  const rows: string[][] = [];
  for (const atOnce of [1, 10, 50]) {
    const figures = await contest(contenders, atOnce, stack.host());
    const bare = figures.get('bare Store request')?.rate ?? 0;
    for (const [name, { rate, p50, p99, cpu }] of figures) {
      const used = name === 'bare Store request' ? '' : cpu.toFixed(0);
      rows.push([
        name,
        String(atOnce),
        rate.toFixed(0),
        (rate / bare).toFixed(2),
        p50.toFixed(2),
        p99.toFixed(2),
        used,
      ]);
    }
  }
  await Promise.all([service.close(), storeAgent.close()]);
  return table(['entitlements, one product', 'at once', 'per s', 'of bare', 'p50 ms', 'p99 ms', 'CPU us each'], rows);
}

async function serviceToken(stack: Stack, agent: Agent): Promise<string> {
  const { tenantId, publisher } = stack.identities;
  const form = new URLSearchParams({
    ...{ grant_type: 'client_credentials', client_id: publisher.clientId, client_secret: publisher.secret },
    scope: 'https://onestore.microsoft.com/.default',
  });
  const answer = await agent.request({
    ...{ origin: stack.entra.url, path: `/${tenantId}/oauth2/v2.0/token`, method: 'POST', body: form.toString() },
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  const { access_token: token } = (await answer.body.json()) as { access_token: string };
  return token;
}
