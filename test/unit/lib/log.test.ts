import type { InvocationContext } from '@azure/functions';
import { afterEach, expect, test, vi } from 'vitest';
import { faultFields, invocationLog, scrub, stackFields, structuredLog } from '../../../src/shared/lib/log.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const innermost = () => new Error('connect ECONNREFUSED 127.0.0.1:1');
const long = 'x'.repeat(400);

test('the innermost cause comes first and is never cut off', () => {
  const fault = new Error(long, { cause: new Error(long, { cause: new Error(long, { cause: innermost() }) }) });
  expect(faultFields(fault).fault).toMatch(/^Error: connect ECONNREFUSED 127\.0\.0\.1:1 -> Error: x/);
  const lines: string[] = [];
  structuredLog((_level, line) => lines.push(line), 'c')('error', 'failed', faultFields(fault));
  expect(JSON.parse(lines[0] ?? '').fault).toMatch(/^Error: connect ECONNREFUSED 127\.0\.0\.1:1 -> /);
});

test('what an AggregateError holds is named before it, also if its own text is long', () => {
  const cause = new AggregateError([new Error('no managed identity'), innermost()], long.repeat(3));
  const { fault } = faultFields(new Error('no token', { cause }));
  expect(fault).toMatch(
    /^Error: connect ECONNREFUSED 127\.0\.0\.1:1 -> Error: no managed identity -> AggregateError: x/,
  );
  expect(fault).toMatch(/ -> Error: no token$/);
});

test('a message that is empty is replaced by the code, a circle ends, and secrets are blanked', () => {
  const coded = Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' });
  expect(faultFields(coded).fault).toBe('AggregateError: ECONNREFUSED');
  const circle = new Error('a');
  circle.cause = new Error('b', { cause: circle });
  expect(faultFields(circle).fault).toBe('Error: b -> Error: a');
  expect(faultFields(new Error('of eyJhbGciOiJub25lIn0.e30.x')).fault).toBe('Error: of [redacted]');
  expect(faultFields('text').fault).toBe('string');
});

test('a client secret of Entra is blanked out, whatever stands in it', () => {
  for (const secret of ['Xyz8Q~aBcDeF.gHiJkLmNoPqRsTuVwXyZ0123456', '.~_7Q~ab-cd_ef~gh'])
    expect(scrub(`the secret "${secret}" is wrong`)).toBe('the secret "[redacted]" is wrong');
});

test('the stack has the places of the innermost cause first, and no messages', () => {
  const cause = innermost();
  const { stack } = stackFields(new Error('secret', { cause }));
  expect(stack).toMatch(/^at innermost .*log\.test\.ts:\d+:\d+\)?\n(at .*\n)+at /);
  expect(stack).not.toContain('secret');
  expect(stack).not.toContain('ECONNREFUSED');
  expect(stackFields('text')).toEqual({});
});

test('a stack is longer than other texts', () => {
  const lines: string[] = [];
  const log = structuredLog((_level, line) => lines.push(line), 'c');
  log('error', 'failed', { stack: 'at f (a.ts:1:1)\n'.repeat(50), detail: 'y'.repeat(800) });
  const { stack, detail } = JSON.parse(lines[0] ?? '');
  expect([stack.length, detail.length]).toEqual([800, 503]);
});

test('lines after the answer go to the console, which the host keeps', () => {
  const kept = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const warn = vi.fn();
  const lines = invocationLog({ warn } as unknown as InvocationContext);
  lines.write('warn', 'before');
  lines.end();
  lines.write('warn', 'after');
  expect([warn.mock.calls, kept.mock.calls]).toEqual([[['before']], [['after']]]);
});
