import { expect, test } from 'vitest';
import { nextStep } from '../../../src/shared/store/authorize.ts';

test('after a 401: a new service token, then a new key, each once', () => {
  const none = { newToken: false, newKey: false };
  expect(nextStep('undecided', none)).toBe('newToken');
  expect(nextStep('undecided', { newToken: true, newKey: false })).toBe('newKey');
  expect(nextStep('undecided', { newToken: true, newKey: true })).toBe('none');
  expect(nextStep('key', none)).toBe('newKey');
  expect(nextStep('key', { newToken: false, newKey: true })).toBe('none');
  expect(nextStep('service', { newToken: true, newKey: false })).toBe('none');
});
