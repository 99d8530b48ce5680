import { HttpRequest, type InvocationContext } from '@azure/functions';
import { expect, test } from 'vitest';
import { postEventsAck } from '../../../src/shared/contract/events.ts';
import { healthContract } from '../../../src/shared/contract/operations.ts';
import { mostAtOnce, requestHandler } from '../../../src/shared/http/serve.ts';

const contract = {
  name: 'eventsAck',
  route: 'events/ack',
  authLevel: 'function',
  operations: [postEventsAck],
} as const;

function caller(handler: ReturnType<typeof requestHandler>) {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);
  const context = { info: write, warn: write, error: write } as unknown as InvocationContext;
  const send = (body = '{"ids":["a"]}') => {
    const request = new HttpRequest({ method: 'POST', url: 'http://localhost/api/events/ack', body: { string: body } });
    return handler(request, context).then((response) => ({ response, bodyUsed: request.bodyUsed }));
  };
  return { lines, send };
}

test('more requests of a function at once than it has places for are refused, and their bodies are not read', async () => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let working = 0;
  const { lines, send } = caller(
    requestHandler(contract, {
      POST: async () => {
        working += 1;
        await released;
        return { body: { acknowledged: 0 } };
      },
    }),
  );
  const taken = Array.from({ length: mostAtOnce }, () => send());
  await expect.poll(() => working).toBe(mostAtOnce);
  const { response, bodyUsed } = await send('no JSON');
  expect([response.status, bodyUsed]).toEqual([503, false]);
  const retryAfter = Number((response.headers as Record<string, string>)['retry-after']);
  expect(retryAfter).toBeGreaterThan(0);
  expect(retryAfter).toBeLessThanOrEqual(5);
  expect(JSON.parse(String(response.body))).toMatchObject({ code: 'unavailable', retryAfterSeconds: retryAfter });
  expect(lines.at(-1)).toContain('"code":"unavailable"');
  const other = caller(requestHandler(contract, { POST: async () => ({ body: { acknowledged: 1 } }) }));
  expect((await other.send()).response.status).toBe(200);
  release();
  expect((await Promise.all(taken)).every(({ response: { status } }) => status === 200)).toBe(true);
  expect((await send()).response.status).toBe(200);
});

test('a fault is answered without its text, and logged with its stack', async () => {
  const { lines, send } = caller(
    requestHandler(contract, {
      POST: async () => {
        throw new TypeError('inner text');
      },
    }),
  );
  const { response } = await send();
  expect(response.status).toBe(500);
  expect(String(response.body)).not.toContain('inner text');
  const line = JSON.parse(lines.at(-1) ?? '');
  expect(line).toMatchObject({ event: 'request', code: 'internal', fault: 'TypeError: inner text' });
  expect(line.stack).toMatch(/^at .*serve\.test\.ts:\d+/);
});

test('health is answered however many ask at once: 503 says only that something fails', async () => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const health = requestHandler(healthContract, {
    GET: async () => {
      await released;
      return { body: { status: 'ok', checks: [] } };
    },
  });
  const context = { info: () => undefined, warn: () => undefined } as unknown as InvocationContext;
  const ask = () => health(new HttpRequest({ method: 'GET', url: 'http://localhost/api/health' }), context);
  const answers = Array.from({ length: mostAtOnce + 1 }, ask);
  release();
  expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200]));
});
