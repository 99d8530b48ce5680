import { expect, test } from 'vitest';
import { type GuideFacts, guide, lastLine } from '../../../local/guide.ts';

const facts: GuideFacts = {
  functionsUrl: 'http://localhost:8171',
  functionKey: 'the-function-key',
  functions: [
    { name: 'keys', type: 'httpTrigger', route: 'users/{userId}/keys', methods: ['GET', 'PUT'] },
    { name: 'bare', type: 'httpTrigger' },
    { name: 'hourly', type: 'timerTrigger' },
  ],
  collectionsUrl: 'https://localhost:8174',
  purchaseUrl: 'https://localhost:8175',
  entraUrl: 'https://localhost:8172',
  keyVaultUrl: 'https://localhost:8173',
  tablesUrl: 'http://127.0.0.1:10002/account',
  shell: 'bash',
};

test('every route is listed with its methods, every timer with the request that runs it', () => {
  const text = guide(facts);
  expect(text).toMatch(/^ {2}GET, PUT {4}http:\/\/localhost:8171\/api\/users\/\{userId\}\/keys {2}keys$/m);
  expect(text).toMatch(/^ {2}any method {2}http:\/\/localhost:8171\/api\/bare {17}bare$/m);
  expect(text).toMatch(/^ {2}hourly: curl -sS -X POST http:\/\/localhost:8171\/admin\/functions\/hourly .*master-key/m);
});

test.each(['bash', 'powershell'] as const)('the requests for %s are those of these ports', (shell) => {
  const text = guide({ ...facts, shell });
  const ports = new Set(text.match(/localhost:\d+/g));
  expect([...ports].sort()).toEqual([8171, 8172, 8173, 8174, 8175].map((port) => `localhost:${port}`));
  expect(text.match(/^(curl|Invoke-RestMethod|\$keys =|KEYS=).*localhost/gm)).toHaveLength(6);
  for (const address of ['the-function-key', facts.tablesUrl]) expect(text).toContain(address);
});

test('without timers nothing is said of them, the debugger is named if one can attach', () => {
  const functions = facts.functions.filter(({ type }) => type === 'httpTrigger');
  expect(guide({ ...facts, functions })).not.toMatch(/timer|debugger/i);
  expect(guide({ ...facts, inspectPort: 9333 })).toMatch(/^debugger +127\.0\.0\.1:9333$/m);
});

test('the last line stands alone', () => {
  expect(guide(facts).split('\n').at(-1)).toBe(lastLine);
});
