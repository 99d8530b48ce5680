/** requests.http, read as the REST clients of editors read it and sent from top to bottom. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { expect, test } from 'vitest';
import { stack, useStack } from './harness.ts';

useStack();

interface FileRequest {
  title: string;
  status: number;
  /** What later requests call its answer. */
  name: string | undefined;
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

const [head = '', ...blocks] = readFileSync('requests.http', 'utf8').split(/^### /m);
const variables = new Map([...head.matchAll(/^@(\w+) = (.+)$/gm)].map(([, name = '', value = '']) => [name, value]));

function parse(block: string): FileRequest {
  const [titleLine = '', ...lines] = block.split('\n');
  const [, title = '', status = ''] = /^(.*): (\d{3})$/.exec(titleLine) ?? [];
  const text = lines.filter((line) => !line.startsWith('#')).join('\n');
  const [top = '', body = ''] = text.trim().split('\n\n');
  const [requestLine = '', ...headerLines] = top.split('\n');
  const [method = '', url = ''] = requestLine.split(' ');
  return {
    title,
    status: Number(status),
    name: /^# @name (\w+)$/m.exec(block)?.[1],
    method,
    url,
    headers: Object.fromEntries(headerLines.map((line) => line.split(': ', 2))),
    body,
  };
}

/** Puts in the variables of the file and members of earlier answers. */
function fill(text: string, answers: ReadonlyMap<string, unknown>): string {
  return text.replaceAll(/\{\{(.+?)\}\}/g, (_, expression: string) => {
    const [, name = '', path] = /^(\w+)\.response\.body\.\$\.(.+)$/.exec(expression) ?? [];
    if (path === undefined) return variables.get(expression) ?? expect.fail(`{{${expression}}} is not set`);
    const value = path
      .split(/[.[\]]+/)
      .filter((part) => part !== '')
      .reduce<unknown>((inner, part) => (inner as Record<string, unknown>)[part], answers.get(name));
    return String(value);
  });
}

/** Like fetch, and trusts the emulators' certificate. */
function sendToStore(method: string, url: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, ca: stack.ca }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

test('every request has the answer that its title says', async () => {
  variables.set('functions', stack.functionsUrl);
  variables.set('store', stack.store.collectionsUrl);
  variables.set('functionKey', stack.identities.functionKey);
  variables.set('masterKey', stack.identities.masterKey);
  const answers = new Map<string, unknown>();
  expect(blocks.length).toBeGreaterThan(30);
  for (const { title, status, name, method, url, headers, body } of blocks.map(parse)) {
    const [target, content] = [fill(url, answers), fill(body, answers)];
    let answer: { status: number; text: string };
    if (url.startsWith('{{store}}')) {
      answer = await sendToStore(method, target, content);
    } else {
      const filled = Object.entries(headers).map(([header, value]) => [header, fill(value, answers)]);
      const response = await fetch(target, {
        method,
        headers: Object.fromEntries(filled),
        ...(content !== '' && { body: content }),
      });
      answer = { status: response.status, text: await response.text() };
    }
    expect(answer.status, `${title}: ${answer.text}`).toBe(status);
    if (name !== undefined) answers.set(name, JSON.parse(answer.text));
  }
  expect(answers.size).toBe(2);
});
