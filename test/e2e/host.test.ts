/** What Azure's host does with requests and logs, on the local one; and what the functions make of it. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TableClient } from '@azure/data-tables';
import { expect, onTestFinished, test } from 'vitest';
import { startHostProcess } from '../../local/hostProcess.ts';
import { logReader } from '../support/logReader.ts';
import { api, asked, expectProblem, logText, register, sell, stack, storeIdsPath, useStack } from './harness.ts';

useStack();

/** Sends bytes as they are, and returns the answer's status and body. */
async function sendRaw(port: number, head: string[], body = ''): Promise<{ status: number; body: string }> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.write(Buffer.from([...head, 'host: localhost', 'connection: close', '', body].join('\r\n')));
  await once(socket, 'close');
  const [top = '', answer = ''] = text.split('\r\n\r\n');
  // Answers without a length come in one chunk and an empty one.
  const withoutSizes = answer.replace(/^[0-9a-f]+(\r\n|$)|\r\n0$/g, '');
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(top)?.[1]),
    body: /^transfer-encoding: chunked/im.test(top) ? withoutSizes : answer,
  };
}

const functionKey = () => `x-functions-key: ${stack.identities.functionKey}`;
const hostPort = () => stack.host().port;

/** A chunked request, as .NET's PostAsJsonAsync sends it. */
const sendChunked = (method: string, path: string, body: string) => {
  const head = [`${method} ${path} HTTP/1.1`, functionKey(), 'transfer-encoding: chunked'];
  return sendRaw(hostPort(), head, `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`);
};

test('a chunked body does not arrive: 411 length_required wherever a body is taken, and nothing is done', async () => {
  await register('chunked');
  sell('chunked', 'COIN', { kind: 'Consumable' });
  for (const [method, path, body] of [
    ['POST', '/api/entitlements/query', { userId: 'chunked', products: ['COIN'] }],
    ['POST', '/api/game-pass/query', { userId: 'chunked' }],
    ['POST', '/api/consumables/consume', { userId: 'chunked', productId: 'COIN', trackingId: crypto.randomUUID() }],
    ['POST', '/api/grants', {}],
    ['POST', '/api/events/ack', { ids: ['a'] }],
    ['PUT', storeIdsPath('chunked'), { account: 'a' }],
  ] as const) {
    const answer = await sendChunked(method, path, JSON.stringify(body));
    expect([answer.status, JSON.parse(answer.body).code], path).toEqual([411, 'length_required']);
    expect(JSON.parse(answer.body).detail).toContain('Content-Length');
  }
  expect(asked('publisherQuery') + asked('consume')).toBe(0);
  expect((await sendChunked('DELETE', storeIdsPath('nobody'), '{"a":1}')).status).toBe(204);
  expectProblem(await api('POST', '/api/events/ack'), 400, 'invalid_request');
});

test('a header beyond Latin-1 is answered 500 without a body, at once, and the process goes on', async () => {
  for (const value of ['\u6f22', '\u20ac', '\u{1f600}']) {
    const answer = await sendRaw(hostPort(), ['GET /api/health HTTP/1.1', `x-note: ${value}`]);
    expect(answer).toEqual({ status: 500, body: '' });
  }
  expect((await sendRaw(hostPort(), ['GET /api/health HTTP/1.1', 'x-note: \u00e9'])).status).toBe(200);
  expect((await api('GET', '/api/health')).status).toBe(200);
});

test('8 KB of question marks take no time, and unknown parameters are refused by the anonymous routes too', async () => {
  const marks = '?'.repeat(8000);
  for (const path of ['/api/health', '/api/openapi.json']) {
    for (const search of [`a=1&A=2&${marks}`, `__proto__=1&a=1&${marks}`, '__proto__=1', 'constructor=1', 'toString']) {
      const from = performance.now();
      const answer = await api('GET', `${path}?${search}`);
      expectProblem(answer, 400, 'invalid_request');
      expect(answer.body.errors[0].path).toBe(`/query/${search.split(/[=&]/)[0]}`);
      expect(performance.now() - from).toBeLessThan(10_000);
    }
  }
});

test('a 400 logs which members were wrong, without values and without names of the caller', async () => {
  const body = { userId: 'log-of-a-400', products: [{ productId: 'bad value' }], hiddenName: 1, api: 'hidden-value' };
  expectProblem(await api('POST', '/api/entitlements/query', body), 400, 'invalid_request');
  await expect.poll(logText).toMatch(/"code":"invalid_request","wrong":"[^"]*\/body\/api[^"]*"/);
  const line =
    logText()
      .split('\n')
      .findLast((one) => one.includes('"wrong"')) ?? '';
  expect(line).toContain('/body/(unknown)');
  expect(line).toContain('/body/products/0');
  expect(line).not.toMatch(/hidden|bad value|log-of/);
});

test('a 500 logs the stack with the lines of src/, and shows nothing of it', async () => {
  await register('broken');
  const table = TableClient.fromConnectionString(stack.settings.TABLES_CONNECTION_STRING ?? '', 'StoreIds', {
    allowInsecureConnection: true,
  });
  for await (const { partitionKey = '', rowKey = '' } of table.listEntities())
    await table.updateEntity({ partitionKey, rowKey, userId: 5 }, 'Replace');
  const answer = await api('GET', storeIdsPath('broken'));
  expectProblem(answer, 500, 'internal');
  expect(answer.text).not.toMatch(/storeIds\.ts|Zod/);
  const id = answer.headers.get('x-correlation-id');
  const lineOf = () =>
    logText()
      .split('\n')
      .find((line) => line.includes(`"${id}"`) && line.includes('"stack"')) ?? '';
  await expect.poll(lineOf).toMatch(/"stack":"at [^"]*src\/shared\/state\/\w+\.ts:\d+:\d+/);
  expect(lineOf()).toMatch(/src\/functions\/userStoreIds\.ts:\d+/);
});

/** An app of one function that answers what it was handed. */
const echoApp = `
import { app } from ${JSON.stringify(pathToFileURL(resolve('node_modules/@azure/functions/dist/azure-functions.js')).href)};
const { http } = app.app ?? app;
http('echo', { methods: ['POST'], authLevel: 'anonymous', handler: async (request, context) => {
  context.info('line during the work');
  setTimeout(() => { context.info('line after the answer'); console.info('line of the %s', 'console'); }, 50);
  return { jsonBody: { body: await request.text(), query: Object.fromEntries(request.query), headers: Object.fromEntries(request.headers) } };
} });
`;

test('what a function sees and may log is as on Azure', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'host-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'package.json'), '{"type":"module","main":"main.js"}');
  writeFileSync(join(folder, 'host.json'), '{"version":"2.0"}');
  writeFileSync(join(folder, 'main.js'), echoApp);
  const log = join(folder, 'host.log');
  const settings = { FUNCTIONS_APP_DIR: folder, FUNCTIONS_PORT: '0', FUNCTIONS_LOG_FILE: log };
  const host = await startHostProcess(settings);
  onTestFinished(() => host.stop());
  const echo = async (head: string[], body: string) => {
    const answer = await sendRaw(host.port, ['POST /api/echo?a=1&A=2&b=3 HTTP/1.1', ...head], body);
    return JSON.parse(answer.body);
  };
  expect(await echo(['content-length: 3', 'x-note: \u00e9'], 'abc')).toMatchObject({
    body: 'abc',
    query: { a: '1,2', b: '3' },
    headers: { 'x-note': '\u00e9' },
  });
  expect(await echo(['transfer-encoding: chunked'], '3\r\nabc\r\n0\r\n\r\n')).toMatchObject({
    body: '',
    headers: { 'transfer-encoding': 'chunked' },
  });
  const news = logReader(log);
  let text = '';
  await expect.poll(() => (text += news())).toMatch(/line of the console[\s\S]*line of the console/);
  expect(text.match(/line during the work/g)).toHaveLength(2);
  expect(text).not.toContain('line after the answer');
});

test('a restart waits for its port, if another socket took it for a moment', async () => {
  const { child, port } = stack.host();
  const other = createServer();
  child.once('exit', () => other.listen(port, '127.0.0.1'));
  const restarted = stack.restartHost('SIGKILL');
  await once(other, 'listening');
  // The host starts, finds the port taken and ends, before this is over; if it is slower, it finds the port free.
  setTimeout(() => other.close(), 1500);
  await restarted;
  expect((await api('GET', '/api/health')).status).toBe(200);
});
