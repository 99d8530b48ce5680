import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HostedFunction } from '../../../../local/host/functionsApp.ts';
import { decodePath, match, routesOf } from '../../../../local/host/router.ts';
import { anyText } from '../../../support/anyText.ts';

const hosted = (name: string, route: string, methods: string[]): HostedFunction => ({
  name,
  bindings: { trigger: { type: 'httpTrigger', direction: 'in', route, methods, authLevel: 'function' } },
  callback: () => undefined,
});
const routes = routesOf(
  [
    hosted('one', 'users/{userId}/store-ids', ['GET']),
    hosted('all', 'users/{userId}/all', ['GET']),
    hosted('me', 'users/me/store-ids', ['GET']),
  ],
  'api',
);
const found = (path: string, method = 'GET') => {
  const outcome = match(routes, method, path);
  return typeof outcome === 'string' ? outcome : [outcome.route.hosted.name, outcome.params];
};

test.each([
  ['/api/users/a%2Fb/store-ids', ['one', { userId: 'a%2Fb' }]],
  ['/api/users/a%252Fb/store-ids', ['one', { userId: 'a%2Fb' }]],
  ['/api/users/a%2fb/store-ids', ['one', { userId: 'a%2Fb' }]],
  ['/api/users/a+b%20c/store-ids', ['one', { userId: 'a+b c' }]],
  ['/api/users/%F0%9F%98%80/store-ids', ['one', { userId: '\u{1f600}' }]],
  ['/API/Users/x/Store-Ids', ['one', { userId: 'x' }]],
  ['/api/users/me/store-ids', ['me', {}]],
  ['/api/users/x', 'notFound'],
  ['/users/x/store-ids', 'notFound'],
  ['/api/users/%00/store-ids', 'badRequest'],
  ['/api/users/%zz/store-ids', 'badRequest'],
  ['/api/users/%ED%A0%80/store-ids', 'badRequest'],
])('the path %s', (path, outcome) => {
  expect(found(path)).toEqual(outcome);
});

test('a method that no function has is not found', () => {
  expect(['POST', 'HEAD', 'OPTIONS'].map((method) => found('/api/users/x/store-ids', method))).toEqual(
    Array(3).fill('notFound'),
  );
});

test('any text is kept as a path parameter, but for slashes and percent signs', () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      fc.pre(text.isWellFormed() && !text.includes('\u0000') && !text.includes('%'));
      expect(decodePath(encodeURIComponent(text))).toBe(text.replaceAll('/', '%2F'));
    }),
  );
});
