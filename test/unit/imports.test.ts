import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = 'src';

/** The layers of the source, from the top down (architecture.md 2.1): a file imports from its own layer or from one below. */
const layers = [
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

function moduleOf(file: string): string | undefined {
  return layers.flat().find((module) => file === module || file.startsWith(`${module}/`));
}

function layerOf(file: string): number {
  return layers.findIndex((modules) => modules.some((module) => module === moduleOf(file)));
}

test('every file is in a layer, and what it imports exists in src', () => {
  expect(imports.length).toBeGreaterThan(300);
  expect(files.filter((file) => layerOf(file) < 0)).toEqual([]);
  expect(imports.filter(({ to }) => !files.includes(to))).toEqual([]);
});

test('no file imports from a higher layer', () => {
  expect(imports.filter(({ from, to }) => layerOf(to) < layerOf(from))).toEqual([]);
});

test('the Store\u2019s protocol knows nothing of the state, and the state nothing of the Store', () => {
  const between = (a: string, b: string) =>
    imports.filter(({ from, to }) => moduleOf(from) === `shared/${a}` && moduleOf(to) === `shared/${b}`);
  expect([...between('store', 'state'), ...between('state', 'store')]).toEqual([]);
});

/** Removes imports of what imports nothing itself, again and again. What remains belongs to a circle, or leads into one. */
function inCircles(all: Import[]): Import[] {
  let remaining = all;
  for (;;) {
    const sources = new Set(remaining.map(({ from }) => from));
    const next = remaining.filter(({ to }) => sources.has(to));
    if (next.length === remaining.length) return remaining;
    remaining = next;
  }
}

test('no circle of files, and none of modules', () => {
  expect(inCircles(imports)).toEqual([]);
  expect(inCircles(importsOf('local'))).toEqual([]);
  const betweenModules = imports
    .map(({ from, to }) => ({ from: moduleOf(from) ?? '', to: moduleOf(to) ?? '' }))
    .filter(({ from, to }) => from !== to);
  expect(inCircles(betweenModules)).toEqual([]);
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
