import { Agent } from 'undici';
import type { Stack } from '../../local/stack.ts';

/** Bare requests to the Store, with which the functions are compared. */
export interface StoreClient {
  /** @throws Error if the answer is not 200 with JSON */
  post(path: string, body: object): Promise<void>;
  close(): Promise<void>;
}

export async function storeClient(stack: Stack): Promise<StoreClient> {
  const agent = new Agent({ connections: 100, connect: { ca: stack.ca } });
  const authorization = `Bearer ${await serviceToken(stack, agent)}`;
  return {
    async post(path, body) {
      const answer = await agent.request({
        origin: stack.store.collectionsUrl,
        path,
        method: 'POST',
        body: JSON.stringify(body),
        headers: { authorization, 'content-type': 'application/json' },
      });
      JSON.parse(await answer.body.text());
      if (answer.statusCode !== 200) throw new Error(`The Store answered ${answer.statusCode}.`);
    },
    close: () => agent.close(),
  };
}

export const beneficiary = (key: string | undefined) => ({
  identityType: 'b2b',
  identityValue: key,
  localTicketReference: '',
});

async function serviceToken(stack: Stack, agent: Agent): Promise<string> {
  const { tenantId, publisher } = stack.identities;
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: publisher.clientId,
    client_secret: publisher.secret,
    scope: 'https://onestore.microsoft.com/.default',
  });
  const answer = await agent.request({
    origin: stack.entra.url,
    path: `/${tenantId}/oauth2/v2.0/token`,
    method: 'POST',
    body: form.toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  const { access_token: token } = (await answer.body.json()) as { access_token: string };
  return token;
}
