import * as z from 'zod';
import { retail, sandboxId } from './lib/sandbox.ts';

/** The address of a service. A query, fragment or user info would be lost or shown where paths are added to it. */
const httpsUrl = z
  .string()
  .trim()
  .refine(
    (text) => /^https:/i.test(text) && isBareUrl(text),
    'must be an https URL without user info or query or fragment',
  )
  .transform((text) => text.replace(/\/+$/, ''));
const secretName = z.string().regex(/^[0-9A-Za-z-]{1,127}$/, 'must be a Key Vault secret name');
const publicEntra = 'https://login.microsoftonline.com';

function isBareUrl(text: string): boolean {
  return /^https?:\/\/[^\s?#@/\\]+(\/[^\s?#]*)?$/i.test(text) && URL.canParse(text);
}

/** What `DefaultAzureCredential` takes, in any case. */
const tokenCredentials =
  /^\s*(prod|dev|(environment|workloadIdentity|managedIdentity|visualStudioCode|azureCli|azurePowerShell|azureDeveloperCli)Credential)\s*$/i;

/** A connection string of an account, with its key or a SAS, or of Azurite. */
function isConnectionString(text: string): boolean {
  const parts = new Map(text.split(';').map((part) => part.split(/=(.*)/s, 2) as [string, string]));
  if (/^true$/i.test(parts.get('UseDevelopmentStorage') ?? '')) return true;
  const endpoint = parts.get('TableEndpoint');
  if (endpoint !== undefined && !isBareUrl(endpoint)) return false;
  if (parts.get('SharedAccessSignature')) return endpoint !== undefined;
  return Boolean(parts.get('AccountName') && parts.get('AccountKey'));
}

/**
 * The settings (http-api.md 3) in groups: a group is what one part of the service reads. They hold names of secrets, never their
 * values, but for the connection string.
 */
const groups = {
  /** The publisher's app registration. */
  entra: z
    .object({
      ENTRA_TENANT_ID: z.string().regex(/^[\w.-]{1,128}$/, 'must be a tenant id or domain'),
      ENTRA_CLIENT_ID: z.string().regex(/^[\w-]{1,64}$/, 'must be an application (client) id'),
      ENTRA_MANAGED_IDENTITY_CLIENT_ID: z.string().min(1).optional(),
      ENTRA_CLIENT_SECRET_NAME: secretName.default('entra-client-secret'),
      ENTRA_AUTHORITY_HOST: httpsUrl.default(publicEntra),
    })
    .transform((env) => ({
      tenantId: env.ENTRA_TENANT_ID,
      clientId: env.ENTRA_CLIENT_ID,
      managedIdentityClientId: env.ENTRA_MANAGED_IDENTITY_CLIENT_ID,
      clientSecretName: env.ENTRA_CLIENT_SECRET_NAME,
      authorityHost: env.ENTRA_AUTHORITY_HOST,
      instanceDiscovery: env.ENTRA_AUTHORITY_HOST === publicEntra,
    })),

  /** The app's own identity, for Key Vault and Tables. `DefaultAzureCredential` reads the rest itself. */
  ownIdentity: z
    .object({
      AZURE_AUTHORITY_HOST: httpsUrl.default(publicEntra),
      AZURE_TOKEN_CREDENTIALS: z
        .string()
        .regex(tokenCredentials, 'must be prod, dev or the name of one credential')
        .optional(),
    })
    .transform((env) => ({ instanceDiscovery: env.AZURE_AUTHORITY_HOST === publicEntra })),

  keyVault: z.object({ KEY_VAULT_URI: httpsUrl }).transform((env) => ({ uri: env.KEY_VAULT_URI })),

  /** What encrypts the User Store ID keys. */
  userKeys: z
    .object({ USER_KEY_ENCRYPTION_SECRET_NAME: secretName.default('user-store-id-key') })
    .transform((env) => ({ secretName: env.USER_KEY_ENCRYPTION_SECRET_NAME })),

  tables: z
    .object({
      TABLES_CONNECTION_STRING: z.string().refine(isConnectionString, 'must be a connection string').optional(),
      TABLES_ACCOUNT_URL: httpsUrl.optional(),
    })
    .refine((env) => (env.TABLES_CONNECTION_STRING === undefined) !== (env.TABLES_ACCOUNT_URL === undefined), {
      path: ['TABLES_CONNECTION_STRING'],
      message: 'set exactly one of TABLES_CONNECTION_STRING and TABLES_ACCOUNT_URL',
      when: () => true,
    })
    .transform((env): { connectionString: string } | { accountUrl: string } => {
      const { TABLES_CONNECTION_STRING: connectionString, TABLES_ACCOUNT_URL: accountUrl = '' } = env;
      return connectionString === undefined ? { accountUrl } : { connectionString };
    }),

  /** The hosts of the Microsoft Store. */
  store: z
    .object({
      STORE_COLLECTIONS_URL: httpsUrl.default('https://collections.mp.microsoft.com'),
      STORE_PURCHASE_URL: httpsUrl.default('https://purchase.mp.microsoft.com'),
    })
    .transform((env) => ({ collectionsUrl: env.STORE_COLLECTIONS_URL, purchaseUrl: env.STORE_PURCHASE_URL })),

  /** The one sandbox that a deployment serves. */
  sandbox: z
    .object({
      STORE_SANDBOX: z
        .string()
        .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be a sandbox id')
        .default(retail),
    })
    .transform((env) => sandboxId(env.STORE_SANDBOX)),

  xbox: z.object({
    XBOX_AUTH_URL: httpsUrl.default('https://service.auth.xboxlive.com'),
    XBOX_XSTS_URL: httpsUrl.default('https://xsts.auth.xboxlive.com'),
    BUSINESS_PARTNER_CERTIFICATE_SECRET_NAME: secretName.optional(),
  }),

  clawback: z.object({
    CLAWBACK_SOURCES: z
      .string()
      .regex(/^(queue|orders|queue,orders)$/, 'must be queue, orders or queue,orders')
      .default('queue'),
    CLAWBACK_FLAG_THRESHOLD: z
      .string()
      .regex(/^[1-9]\d{0,5}$/, 'must be a whole number from 1')
      .default('3'),
  }),

  keyRenewal: z.object({ KEY_RENEWAL_MODE: z.enum(['renew', 'remind'], 'must be renew or remind').default('renew') }),

  webhook: z.object({
    WEBHOOK_URL: httpsUrl.optional(),
    WEBHOOK_SECRET_NAME: secretName.default('webhook-secret'),
  }),
};

export type SettingsGroup = keyof typeof groups;
export type Settings = { [Group in SettingsGroup]: z.output<(typeof groups)[Group]> };

export const settingsGroups = Object.keys(groups) as SettingsGroup[];

/**
 * Reads groups of settings from the environment. An empty variable counts as absent, as in Azure's portal.
 * @throws Error that names every variable of these groups that is missing or unreadable, never a value
 */
export function loadSettings<const Group extends SettingsGroup>(
  wanted: readonly Group[],
  env: Record<string, string | undefined> = process.env,
): Pick<Settings, Group> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const faults = new Set<string>();
  const loaded: Partial<Record<SettingsGroup, unknown>> = {};
  for (const group of wanted) {
    const parsed = groups[group].safeParse(present);
    if (parsed.success) loaded[group] = parsed.data;
    else for (const issue of parsed.error.issues) faults.add(describeFault(issue, present));
  }
  if (faults.size > 0) throw new Error(`These settings are missing or unreadable: ${[...faults].join(', ')}`);
  return loaded as Pick<Settings, Group>;
}

/**
 * Limits `DefaultAzureCredential`, which reads this variable itself, to the credentials of a deployment. With the others, each failure
 * of a managed identity starts command-line tools.
 */
export function limitOwnCredentials(env: Record<string, string | undefined> = process.env): void {
  env.AZURE_TOKEN_CREDENTIALS ||= 'prod';
}

function describeFault(issue: z.core.$ZodIssue, present: Record<string, string | undefined>): string {
  const name = String(issue.path[0]);
  const missing = present[name] === undefined && issue.code === 'invalid_type';
  return `${name} (${missing ? 'missing' : issue.message})`;
}
