import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { correlationIdOf } from '../../../src/shared/http/correlation.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

test.each([
  'a',
  randomUUID(),
  randomUUID().toUpperCase(),
  `${randomUUID()}.${randomUUID()}`,
  `${randomUUID()}-${randomUUID()}`,
  randomBytes(16).toString('hex'),
  `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`,
  `|${randomBytes(16).toString('hex')}.${randomBytes(8).toString('hex')}.`,
  '1-5759e988-bd862e3fe1be46a994272793',
  'PmvzQKgYek6Sdk/T5sWaqw.1.2.3',
  '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  '0ujtsYcgvSTl8PAuAdqWYSMnLOv',
  'game-eu-west-purchase-of-player-1234567890-at-20261125',
  'Order-Processing-Service-EU-West-Request0001-of-20261125',
  'x'.repeat(128),
  '!~'.repeat(64),
  String.fromCharCode(...Array.from({ length: 94 }, (_, index) => 0x21 + index)),
])('%s is taken', (id) => {
  expect(correlationIdOf(id)).toBe(id);
});

test.each([
  null,
  '',
  'a b',
  'x'.repeat(129),
  '\u00e9',
  'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln',
  'Bearer=eyJhbGciOiJSUzI1NiJ9',
  'code=abcdefgh',
  'sv=1&sig=abc',
  `whsec_${'a1B2'.repeat(8)}`,
  'abc8Q~Kd82hs-d7Jh2lSh27dhS72ldjHs72hWqLz',
  'Xyz8Q~aBcDeF.gHiJkLmNoPqRsTuVwXyZ0123456',
  '.~_7Q~ab.cd.ef.gh.ij.kl.mn.op.qr.st.uv.w',
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
])('%s is replaced by a new id', (id) => {
  expect(correlationIdOf(id)).toMatch(uuid);
});

test('random keys of 32 bytes and more are replaced, however they are written', () => {
  for (let run = 0; run < 300; run += 1) {
    for (const encoding of ['base64', 'base64url', 'hex'] as const) {
      expect(correlationIdOf(randomBytes(32 + (run % 32)).toString(encoding))).toMatch(uuid);
    }
  }
});
