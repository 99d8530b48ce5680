import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = 'src';

/** The rooms of the source, from the top floor down (architecture.md 2.1): a file imports from its own floor or from one below. */
const floors = [
  ['functions'],
  ['shared/services'],
  ['shared/http', 'shared/timer.ts'],
  [
    'shared/consume',
    'shared/entitlements',
    'shared/events',
    'shared/fulfilment',
    'shared/gamePass',
    'shared/grants',
    'shared/operations',
    'shared/storeIds',
  ],
  ['shared/store', 'shared/state'],
  ['shared/identity'],
  ['shared/contract', 'shared/lib', 'shared/config.ts'],
];

interface Import {
  from: string;
  to: string;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts'));
}

function importsOf(folder: string): Import[] {
  return filesOf(folder).flatMap((from) => {
    const text = readFileSync(join(folder, from), 'utf8');
    return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, path = '']) => ({
      from,
      to: relative(folder, join(folder, dirname(from), path)).replaceAll('\\', '/'),
    }));
  });
}

const files = filesOf(root);
const imports = importsOf(root);

function roomOf(file: string): string | undefined {
  return floors.flat().find((room) => file === room || file.startsWith(`${room}/`));
}

function floorOf(file: string): number {
  return floors.findIndex((rooms) => rooms.some((room) => room === roomOf(file)));
}

test('every file stands in a room, and what it imports exists in src', () => {
  expect(imports.length).toBeGreaterThan(300);
  expect(files.filter((file) => floorOf(file) < 0)).toEqual([]);
  expect(imports.filter(({ to }) => !files.includes(to))).toEqual([]);
});

test('no import goes up', () => {
  expect(imports.filter(({ from, to }) => floorOf(to) < floorOf(from))).toEqual([]);
});

test('the Store\u2019s protocol knows nothing of the state, and the state nothing of the Store', () => {
  const between = (a: string, b: string) =>
    imports.filter(({ from, to }) => roomOf(from) === `shared/${a}` && roomOf(to) === `shared/${b}`);
  expect([...between('store', 'state'), ...between('state', 'store')]).toEqual([]);
});

/** What cannot be removed by taking away, again and again, what imports nothing that is left: it stands in a circle, or imports one. */
function inCircles(arrows: Import[]): Import[] {
  let left = arrows;
  for (;;) {
    const sources = new Set(left.map(({ from }) => from));
    const next = left.filter(({ to }) => sources.has(to));
    if (next.length === left.length) return left;
    left = next;
  }
}

test('no circle of files, and none of rooms', () => {
  expect(inCircles(imports)).toEqual([]);
  expect(inCircles(importsOf('local'))).toEqual([]);
  const rooms = imports
    .map(({ from, to }) => ({ from: roomOf(from) ?? '', to: roomOf(to) ?? '' }))
    .filter(({ from, to }) => from !== to);
  expect(inCircles(rooms)).toEqual([]);
});

test('only config.ts reads the environment, and only functions and boundaries know the programming model', () => {
  const using = (pattern: RegExp) => files.filter((file) => pattern.test(readFileSync(join(root, file), 'utf8')));
  expect(using(/process\.env/)).toEqual(['shared/config.ts']);
  expect(using(/import (?!type)[^;]*from '@azure\/functions'/).sort()).toEqual([
    'shared/http/serve.ts',
    'shared/services/platform.ts',
    'shared/timer.ts',
  ]);
});
