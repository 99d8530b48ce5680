/** What a Key Vault that hangs or throttles costs: a known secret goes on serving, and Entra is asked with it. */
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { startKeyVault } from '../../../local/emulators/keyVault.ts';
import { createLocalTls } from '../../../local/tls.ts';
import { createEntra } from '../../../src/shared/identity/entra.ts';
import { createKeyVaultReader, createSecrets, type SecretVersion } from '../../../src/shared/identity/secrets.ts';
import { testCall } from '../../support/call.ts';

const second = 1000;
const minute = 60 * second;
const clock = { now: () => Date.now(), sleep: async () => undefined };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A vault that can hang until it is told to answer, and an Entra that takes whatever secret it is shown, for tokens of an hour. */
function hangingVault() {
  const state = { hangs: false, reads: 0, mints: 0, value: 'one' };
  const hanging: (() => void)[] = [];
  const secrets = createSecrets(async (): Promise<SecretVersion> => {
    state.reads += 1;
    if (state.hangs) await new Promise<void>((resolve) => hanging.push(resolve));
    return { value: state.value, version: state.value, createdOn: 1 };
  }, clock);
  const { log } = testCall();
  const entra = createEntra(async (_scope, mintLog, signal) => {
    await secrets.newest('s', mintLog);
    await new Promise((resolve) => setTimeout(resolve, 50));
    signal.throwIfAborted();
    state.mints += 1;
    return { token: `t${state.mints}`, expiresOnTimestamp: Date.now() + 60 * minute };
  }, clock);
  /** What comes of it, and after how many ms. */
  const timed = async (work: Promise<unknown>): Promise<{ outcome: unknown; ms: number }> => {
    const from = Date.now();
    let ended: { outcome: unknown; ms: number } | undefined;
    const end = (outcome: unknown) => {
      ended = { outcome, ms: Date.now() - from };
    };
    work.then(end, end);
    while (!ended) await vi.advanceTimersByTimeAsync(50);
    return ended;
  };
  const answerNow = () => {
    for (const resolve of hanging.splice(0)) resolve();
  };
  return { state, secrets, entra, log, timed, answerNow };
}

test('a vault that hangs for two hours: each new token is minted with the known secret, and nobody waits longer than 2 s', async () => {
  const { state, entra, log, timed } = hangingVault();
  await timed(entra.token('service', log));
  state.hangs = true;
  const began = Date.now();
  const tokens = new Set<string>();
  let longest = 0;
  while (Date.now() - began < 110 * minute) {
    const { outcome, ms } = await timed(entra.token('service', log));
    expect(outcome).toMatchObject({ token: expect.any(String) });
    tokens.add((outcome as { token: string }).token);
    longest = Math.max(longest, ms);
    await vi.advanceTimersByTimeAsync(20 * second);
  }
  expect([...tokens]).toEqual(['t1', 't2']);
  expect(longest).toBeLessThan(2500);
});

test('the same if the token ends unrenewed: the first request with a new one waits 2 s, the next not at all', async () => {
  const { state, entra, log, timed } = hangingVault();
  await timed(entra.token('service', log));
  state.hangs = true;
  await vi.advanceTimersByTimeAsync(61 * minute);
  const first = await timed(entra.token('service', log));
  expect(first.outcome).toMatchObject({ token: 't2' });
  expect(first.ms).toBeLessThan(2500);
  const other = await timed(entra.token('purchase', log));
  expect(other.outcome).toMatchObject({ token: 't3' });
  expect(other.ms).toBeLessThan(500);
});

test('a read that nobody waits for any more goes on, and what it brings is used', async () => {
  const { state, secrets, log, timed, answerNow } = hangingVault();
  await timed(secrets.newest('s', log));
  await vi.advanceTimersByTimeAsync(10 * minute);
  state.hangs = true;
  state.value = 'two';
  expect((await timed(secrets.newest('s', log))).outcome).toMatchObject({ value: 'one' });
  answerNow();
  await vi.advanceTimersByTimeAsync(0);
  expect((await timed(secrets.newest('s', log))).outcome).toMatchObject({ value: 'two' });
  expect(state.reads).toBe(2);
});

test('a secret that Entra refuses is asked for again for 2 s, not for the whole time of a token', async () => {
  const { state, secrets, log, timed } = hangingVault();
  await timed(secrets.newest('s', log));
  state.hangs = true;
  const again = await timed(secrets.reread('s', log));
  expect(again.outcome).toMatchObject({ code: 'unavailable', message: expect.stringContaining('Key Vault') });
  expect(again.ms).toBeLessThan(2500);
});

test.each([
  ['Retry-After', { 'retry-after': '15' }],
  ['its form in milliseconds', { 'retry-after-ms': '15000' }],
  ['a date', { 'retry-after': new Date(Date.now() + 24 * 60 * minute).toUTCString() }],
])('the library\u2019s own client does not wait for a vault that throttles with %s', async (_name, headers) => {
  vi.useRealTimers();
  const tls = await createLocalTls();
  const verifyBearer = () => ({ aud: 'https://vault.azure.net', exp: Number.MAX_SAFE_INTEGER });
  const vault = await startKeyVault({ tls, authority: 'https://login.example/t', verifyBearer });
  onTestFinished(() => vault.close());
  vault.setSecret('s', 'one');
  const credential = { getToken: async () => ({ token: 't', expiresOnTimestamp: Number.MAX_SAFE_INTEGER }) };
  const read = createKeyVaultReader(vault.url, credential, { tlsOptions: { ca: tls.cert } });
  let passed = 0;
  const secrets = createSecrets(read, { now: () => Date.now() + passed, sleep: clock.sleep });
  const { log, lines } = testCall();
  await secrets.newest('s', log);
  passed = 10 * minute;
  vault.faults.add({ status: 429, headers, times: null });
  const before = vault.state.requests;
  expect((await secrets.newest('s', log)).value).toBe('one');
  // The line is there: the read has ended, and not only the wait for it.
  expect(lines.join()).toMatch(/keyVault\.failed.*429 and asks for a pause of \d+ s/);
  expect(vault.state.requests - before).toBe(1);
});
