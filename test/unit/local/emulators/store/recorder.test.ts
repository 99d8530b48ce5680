import { expect, test } from 'vitest';
import { withoutSecrets } from '../../../../../local/emulators/store/recorder.ts';

test('records no key and no token', () => {
  const shown = withoutSecrets({ b2bKey: 'secret', nested: [{ text: 'aa.bb.cc' }], productId: '9N0' });
  expect(JSON.stringify(shown)).not.toMatch(/secret|aa\.bb/);
  expect(shown).toMatchObject({ productId: '9N0', b2bKey: expect.stringMatching(/^sha256:[0-9a-f]{12}$/) });
});
