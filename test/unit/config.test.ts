import { expect, test } from 'vitest';
import { loadConfig } from '../../src/shared/config.ts';

const least = {
  ENTRA_TENANT_ID: 't',
  ENTRA_CLIENT_ID: 'c',
  KEY_VAULT_URI: 'https://v.vault.azure.net/',
  TABLES_ACCOUNT_URL: 'https://a.table.core.windows.net',
};

test('defaults of http-api.md 3', () => {
  expect(loadConfig(least)).toEqual({
    entra: {
      tenantId: 't',
      clientId: 'c',
      clientSecretName: 'entra-client-secret',
      authorityHost: 'https://login.microsoftonline.com',
      instanceDiscovery: true,
    },
    ownInstanceDiscovery: true,
    keyVaultUri: 'https://v.vault.azure.net',
    userKeySecretName: 'user-store-id-key',
    tables: { accountUrl: 'https://a.table.core.windows.net' },
    store: {
      collectionsUrl: 'https://collections.mp.microsoft.com',
      purchaseUrl: 'https://purchase.mp.microsoft.com',
      sandbox: 'RETAIL',
    },
  });
});

test('one message names every variable that is missing or unreadable, and shows no value', () => {
  const env = { KEY_VAULT_URI: 'http://secret.example', STORE_SANDBOX: 'a b', ENTRA_TENANT_ID: '' };
  const message = (() => {
    try {
      loadConfig(env);
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
  expect(loadConfig({ ...least, ENTRA_AUTHORITY_HOST: 'https://localhost:1' }).entra.instanceDiscovery).toBe(false);
  expect(loadConfig({ ...least, AZURE_AUTHORITY_HOST: 'https://localhost:1' }).ownInstanceDiscovery).toBe(false);
});

test('an account URL and a connection string are refused together', () => {
  expect(() => loadConfig({ ...least, TABLES_CONNECTION_STRING: 'UseDevelopmentStorage=true' })).toThrow(
    /TABLES_CONNECTION_STRING/,
  );
});

const withTables = (text: string) => loadConfig({ ...least, TABLES_ACCOUNT_URL: '', TABLES_CONNECTION_STRING: text });

test.each([
  'nonsense',
  'AccountName=x',
  'TableEndpoint=http:',
  'TableEndpoint=http://127.0.0.1:1/a',
  'TableEndpoint=nowhere;AccountName=a;AccountKey=k',
])('%s is not a connection string', (text) => {
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
])('%s=%s is named, whichever functions the app has', (name, value) => {
  expect(() => loadConfig({ ...least, [name]: value })).toThrow(name);
});
