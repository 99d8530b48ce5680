import { expect, test } from 'vitest';
import { limitOwnCredentials, loadSettings, settingsGroups } from '../../src/shared/config.ts';
import { sandbox } from '../../src/shared/contract/fields.ts';

const load = (env: Record<string, string>) => loadSettings(settingsGroups, env);

const least = {
  ENTRA_TENANT_ID: 't',
  ENTRA_CLIENT_ID: 'c',
  KEY_VAULT_URI: 'https://v.vault.azure.net/',
  TABLES_ACCOUNT_URL: 'https://a.table.core.windows.net',
};

test('defaults of http-api.md 3', () => {
  expect(load(least)).toEqual({
    entra: {
      tenantId: 't',
      clientId: 'c',
      clientSecretName: 'entra-client-secret',
      authorityHost: 'https://login.microsoftonline.com',
      instanceDiscovery: true,
    },
    ownIdentity: { instanceDiscovery: true },
    keyVault: { uri: 'https://v.vault.azure.net' },
    userKeys: { secretName: 'user-store-id-key' },
    tables: { accountUrl: 'https://a.table.core.windows.net' },
    store: {
      collectionsUrl: 'https://collections.mp.microsoft.com',
      purchaseUrl: 'https://purchase.mp.microsoft.com',
    },
    sandbox: 'RETAIL',
    xbox: { XBOX_AUTH_URL: 'https://service.auth.xboxlive.com', XBOX_XSTS_URL: 'https://xsts.auth.xboxlive.com' },
    clawback: { CLAWBACK_SOURCES: 'queue', CLAWBACK_FLAG_THRESHOLD: '3' },
    keyRenewal: { KEY_RENEWAL_MODE: 'renew' },
    webhook: { WEBHOOK_SECRET_NAME: 'webhook-secret' },
  });
});

test('only the requested groups are checked', () => {
  const env = { TABLES_ACCOUNT_URL: 'https://a.table.core.windows.net', KEY_VAULT_URI: 'nonsense' };
  expect(loadSettings(['tables'], env)).toEqual({ tables: { accountUrl: 'https://a.table.core.windows.net' } });
  expect(() => loadSettings(['tables', 'keyVault'], env)).toThrow(/unreadable: KEY_VAULT_URI \([^,]*\)$/);
});

test('one message names every variable that is missing or unreadable, and shows no value', () => {
  const env = { KEY_VAULT_URI: 'http://secret.example', STORE_SANDBOX: 'a b', ENTRA_TENANT_ID: '' };
  const message = (() => {
    try {
      load(env);
    } catch (fault) {
      return String(fault);
    }
  })();
  for (const name of [
    'ENTRA_TENANT_ID (missing)',
    'ENTRA_CLIENT_ID (missing)',
    'KEY_VAULT_URI',
    'STORE_SANDBOX',
    'TABLES_CONNECTION_STRING',
  ]) {
    expect(message).toContain(name);
  }
  expect(message).not.toContain('secret.example');
});

test('another authority turns instance discovery off', () => {
  expect(load({ ...least, ENTRA_AUTHORITY_HOST: 'https://localhost:1' }).entra.instanceDiscovery).toBe(false);
  expect(load({ ...least, AZURE_AUTHORITY_HOST: 'https://localhost:1' }).ownIdentity.instanceDiscovery).toBe(false);
});

test('a connection string and an account URL together are refused', () => {
  expect(() => load({ ...least, TABLES_CONNECTION_STRING: 'UseDevelopmentStorage=true' })).toThrow(
    /TABLES_CONNECTION_STRING/,
  );
});

const withTables = (text: string) => load({ ...least, TABLES_ACCOUNT_URL: '', TABLES_CONNECTION_STRING: text });

test.each([
  'nonsense',
  'AccountName=x',
  'TableEndpoint=http:',
  'TableEndpoint=http://127.0.0.1:1/a',
  'TableEndpoint=nowhere;AccountName=a;AccountKey=k',
  'TableEndpoint=https://u:p@a.example/;AccountName=a;AccountKey=k',
  'TableEndpoint=https://a.example/?sig=s;SharedAccessSignature=sig=s',
])('%s is no connection string', (text) => {
  expect(() => withTables(text)).toThrow('TABLES_CONNECTION_STRING (must be a connection string)');
});

test.each([
  'UseDevelopmentStorage=true',
  'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5PT0=;EndpointSuffix=core.windows.net',
  'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;',
  'TableEndpoint=https://a.table.core.windows.net/;SharedAccessSignature=sv=1&sig=s',
])('%s is a connection string', (text) => {
  expect(withTables(text).tables).toEqual({ connectionString: text });
});

test.each([
  ['KEY_RENEWAL_MODE', 'sometimes'],
  ['CLAWBACK_SOURCES', 'mail'],
  ['CLAWBACK_FLAG_THRESHOLD', '0'],
  ['WEBHOOK_URL', 'http://plain.example'],
  ['XBOX_XSTS_URL', 'nowhere'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => load({ ...least, [name]: value })).toThrow(name);
});

const urlSettings = [
  'ENTRA_AUTHORITY_HOST',
  'AZURE_AUTHORITY_HOST',
  'KEY_VAULT_URI',
  'TABLES_ACCOUNT_URL',
  'STORE_COLLECTIONS_URL',
  'STORE_PURCHASE_URL',
  'XBOX_AUTH_URL',
  'XBOX_XSTS_URL',
  'WEBHOOK_URL',
];

test.each([
  'https://h.example/?sig=secret',
  'https://h.example?',
  'https://h.example/#secret',
  'https://secret:x@h.example/',
  'https://secret@h.example/',
  'https://@h.example/',
  'https:\\\\secret@h.example/',
  'https:secret.example',
  'https://a secret',
  'https://',
  'http://secret.example',
])('a URL such as %s is refused by the name of its setting, for each of them', (url) => {
  for (const name of urlSettings) {
    const message = (() => {
      try {
        load({ ...least, [name]: url });
      } catch (fault) {
        return String(fault);
      }
    })();
    expect(message).toMatch(new RegExp(`unreadable: ${name} \\(must be an https URL [^)]*\\)$`));
    expect(message).not.toContain('secret');
  }
});

test.each(['https://h.example/a/b/', ' https://h.example/a/b '])('a URL may have a path: %j', (url) => {
  expect(load({ ...least, STORE_PURCHASE_URL: url }).store.purchaseUrl).toBe('https://h.example/a/b');
});

test.each(['retail', 'Retail', 'RETAIL'])('the sandbox %s is RETAIL', (id) => {
  expect(load({ ...least, STORE_SANDBOX: id }).sandbox).toBe('RETAIL');
  expect(load({ ...least, STORE_SANDBOX: `${id}.1` }).sandbox).toBe(`${id}.1`);
  expect(sandbox.parse(id)).toBe('RETAIL');
});

test('without AZURE_TOKEN_CREDENTIALS the own identity never tries command-line tools', () => {
  for (const [given, used] of [
    [{}, 'prod'],
    [{ AZURE_TOKEN_CREDENTIALS: '' }, 'prod'],
    [{ AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential' }, 'EnvironmentCredential'],
  ] as const) {
    const env: Record<string, string | undefined> = { ...given };
    limitOwnCredentials(env);
    expect(env.AZURE_TOKEN_CREDENTIALS).toBe(used);
    expect(() => load({ ...least, ...given })).not.toThrow();
  }
  expect(() => load({ ...least, AZURE_TOKEN_CREDENTIALS: 'production' })).toThrow(
    /AZURE_TOKEN_CREDENTIALS \(must be prod/,
  );
});
