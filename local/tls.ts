import { generate } from 'selfsigned';

export interface LocalTls {
  /** PEM. The certificate is its own authority. A process trusts it through `NODE_EXTRA_CA_CERTS`. */
  cert: string;
  key: string;
}

/** A certificate for localhost, a new one for each run: MSAL and Key Vault's client refuse plain http. */
export async function createLocalTls(): Promise<LocalTls> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { cert, key };
}
