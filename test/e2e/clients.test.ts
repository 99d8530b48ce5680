/** Clients that generators make from the OpenAPI document: they compile, and what they send and read is right (http-api.md 2.12). */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import type { Play } from '../clients/play.ts';
import { keysOf, sell, stack, useStack } from './harness.ts';

useStack();

const clients = join(import.meta.dirname, '../clients');
const generated = join(clients, 'generated');
const run = promisify(execFile);

beforeAll(async () => {
  rmSync(generated, { recursive: true, force: true });
  mkdirSync(generated);
  const document = join(generated, 'openapi.json');
  const response = await fetch(`${stack.functionsUrl}/api/openapi.json`);
  writeFileSync(document, await response.text());
  await run(process.execPath, [join(clients, 'generate.js'), document, generated]);
});

test('the clients compile, and so do programs that use them as the README does', async () => {
  const compiler = join(clients, '../../node_modules/typescript/bin/tsc');
  const errors = await run(process.execPath, [compiler, '-p', clients]).then(
    () => '',
    (fault: { stdout: string }) => fault.stdout,
  );
  expect(errors).toBe('');
});

test.each(['openapiFetch', 'heyApi'])('the requests of the README with the client for %s', async (name) => {
  const { play }: { play: Play } = await import(join(clients, `${name}.ts`));
  const userId = `${name} & player/1`;
  const { control } = stack.store;
  sell(userId, 'SWORD');
  sell(userId, 'COINS', { kind: 'Consumable', unitsPerPurchase: 9 });
  control.putProduct('GIFT', { kind: 'Durable', price: 0 });
  control.putGamePass(userId, { tiers: ['Starter'] });

  const seen = await play({
    baseUrl: `${stack.functionsUrl}/api`,
    functionKey: stack.identities.functionKey,
    userId,
    keys: keysOf(userId),
    loseAnswers: () => control.addFault({ operation: 'consume', dropResponse: true, times: 2 }),
  });

  expect(seen).toEqual({
    keyState: 'fresh',
    owned: [{ productId: 'SWORD', endsAt: null, remainingSeconds: null }],
    tiers: [{ tier: 'Starter', since: expect.any(Date) }],
    balance: 8,
    pending: {
      status: 202,
      state: 'pending',
      location: expect.stringContaining('/api/consumables/'),
      retryAfter: '60',
    },
    record: 'completed',
    events: [7],
    acknowledged: 1,
    granted: { status: 201, lines: 1 },
    problem: { code: 'invalid_request', wrong: ['/body/trackingId'] },
  });
});
