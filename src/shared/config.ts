import * as z from 'zod';

const httpsUrl = z.url({ protocol: /^https$/ }).transform((text) => text.replace(/\/+$/, ''));
const secretName = z.string().regex(/^[0-9A-Za-z-]{1,127}$/, 'must be a Key Vault secret name');
const publicEntra = 'https://login.microsoftonline.com';

/** Of an account with its key or a SAS, or of Azurite. */
function isConnectionString(text: string): boolean {
  const parts = new Map(text.split(';').map((part) => part.split(/=(.*)/s, 2) as [string, string]));
  if (/^true$/i.test(parts.get('UseDevelopmentStorage') ?? '')) return true;
  const [endpoint, account] = [parts.get('TableEndpoint'), parts.get('AccountName')];
  const isUrl = (url: string) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  if (endpoint !== undefined && !isUrl(endpoint)) return false;
  if (parts.get('SharedAccessSignature')) return endpoint !== undefined;
  return Boolean(account && parts.get('AccountKey'));
}

const environment = z
  .object({
    ENTRA_TENANT_ID: z.string().regex(/^[\w.-]{1,128}$/, 'must be a tenant id or domain'),
    ENTRA_CLIENT_ID: z.string().regex(/^[\w-]{1,64}$/, 'must be an application (client) id'),
    ENTRA_MANAGED_IDENTITY_CLIENT_ID: z.string().min(1).optional(),
    ENTRA_CLIENT_SECRET_NAME: secretName.default('entra-client-secret'),
    ENTRA_AUTHORITY_HOST: httpsUrl.default(publicEntra),
    AZURE_AUTHORITY_HOST: httpsUrl.optional(),
    KEY_VAULT_URI: httpsUrl,
    USER_KEY_ENCRYPTION_SECRET_NAME: secretName.default('user-store-id-key'),
    TABLES_CONNECTION_STRING: z.string().refine(isConnectionString, 'must be a connection string').optional(),
    TABLES_ACCOUNT_URL: httpsUrl.optional(),
    STORE_COLLECTIONS_URL: httpsUrl.default('https://collections.mp.microsoft.com'),
    STORE_PURCHASE_URL: httpsUrl.default('https://purchase.mp.microsoft.com'),
    STORE_SANDBOX: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be a sandbox id')
      .default('RETAIL'),
    // Of functions that this deployment may not have: judged all the same, so that a misspelt one is found at the start.
    XBOX_AUTH_URL: httpsUrl.optional(),
    XBOX_XSTS_URL: httpsUrl.optional(),
    BUSINESS_PARTNER_CERTIFICATE_SECRET_NAME: secretName.optional(),
    CLAWBACK_SOURCES: z
      .string()
      .regex(/^(queue|orders|queue,orders)$/, 'must be queue, orders or queue,orders')
      .optional(),
    CLAWBACK_FLAG_THRESHOLD: z
      .string()
      .regex(/^[1-9]\d{0,5}$/, 'must be a whole number from 1')
      .optional(),
    KEY_RENEWAL_MODE: z.enum(['renew', 'remind']).optional(),
    WEBHOOK_URL: httpsUrl.optional(),
    WEBHOOK_SECRET_NAME: secretName.optional(),
  })
  .refine((env) => (env.TABLES_CONNECTION_STRING === undefined) !== (env.TABLES_ACCOUNT_URL === undefined), {
    path: ['TABLES_CONNECTION_STRING'],
    message: 'set exactly one of TABLES_CONNECTION_STRING and TABLES_ACCOUNT_URL',
    when: () => true,
  });

/** The settings of one deployment (http-api.md 3). Holds names of secrets, never their values (but the connection string). */
export interface Config {
  entra: {
    tenantId: string;
    clientId: string;
    managedIdentityClientId?: string;
    clientSecretName: string;
    authorityHost: string;
    instanceDiscovery: boolean;
  };
  /** Whether the app's own identity is had from the public Entra. */
  ownInstanceDiscovery: boolean;
  keyVaultUri: string;
  userKeySecretName: string;
  tables: { connectionString: string } | { accountUrl: string };
  store: { collectionsUrl: string; purchaseUrl: string; sandbox: string };
}

/**
 * Reads the settings from the environment. An empty variable counts as absent, as in Azure's portal.
 * @throws Error that names every variable that is missing or unreadable, never a value.
 */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(present);
  if (!parsed.success) {
    const named = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      return `${name} (${present[name] === undefined && issue.code === 'invalid_type' ? 'missing' : issue.message})`;
    });
    throw new Error(`These settings are missing or unreadable: ${[...new Set(named)].join(', ')}`);
  }
  const value = parsed.data;
  return {
    entra: {
      tenantId: value.ENTRA_TENANT_ID,
      clientId: value.ENTRA_CLIENT_ID,
      ...(value.ENTRA_MANAGED_IDENTITY_CLIENT_ID !== undefined && {
        managedIdentityClientId: value.ENTRA_MANAGED_IDENTITY_CLIENT_ID,
      }),
      clientSecretName: value.ENTRA_CLIENT_SECRET_NAME,
      authorityHost: value.ENTRA_AUTHORITY_HOST,
      instanceDiscovery: value.ENTRA_AUTHORITY_HOST === publicEntra,
    },
    ownInstanceDiscovery: (value.AZURE_AUTHORITY_HOST ?? publicEntra) === publicEntra,
    keyVaultUri: value.KEY_VAULT_URI,
    userKeySecretName: value.USER_KEY_ENCRYPTION_SECRET_NAME,
    tables:
      value.TABLES_CONNECTION_STRING !== undefined
        ? { connectionString: value.TABLES_CONNECTION_STRING }
        : { accountUrl: value.TABLES_ACCOUNT_URL as string },
    store: {
      collectionsUrl: value.STORE_COLLECTIONS_URL,
      purchaseUrl: value.STORE_PURCHASE_URL,
      sandbox: value.STORE_SANDBOX,
    },
  };
}
