import {
  TableClient,
  type TableEntity,
  type TableServiceClientOptions,
  type TransactionAction,
} from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import type { Settings } from '../config.ts';
import { Problem } from '../contract/problems.ts';
import { withAbortTimeout } from '../lib/timeout.ts';

const operationMs = 10_000;
/** A row exists already, does not exist, or was changed. */
const conflictStatuses = [404, 409, 412];
/** The most that Azure answers at a time. */
const largestPage = 1000;
const sdkOptions: TableServiceClientOptions = {
  retryOptions: { maxRetries: 3, retryDelayInMs: 100, maxRetryDelayInMs: 1000 },
};

/** The properties of an entity as they were read, unchecked. */
export type Row = Record<string, unknown> & { partitionKey: string; rowKey: string; etag: string };
/** `conflict`: a row exists already, does not exist or was changed; or the SDK repeated a write that had already succeeded. Read again. */
export type WriteResult = { etag: string } | 'conflict';

/** One table. Every operation throws Problem unavailable when the table cannot be reached; nothing else. */
export interface Table {
  get(partitionKey: string, rowKey: string): Promise<Row | undefined>;
  /** In the order of the row keys: all pages, or the first `limit` rows. `filter` is OData. */
  list(filter: string, limit?: number): Promise<Row[]>;
  upsert(entity: TableEntity): Promise<void>;
  /** Whether this call removed it: false if it was not there. */
  remove(partitionKey: string, rowKey: string): Promise<boolean>;
  /** Rows of one partition, all or none; at most `transactionLimit`. Answers with the new ETag of the first. */
  transaction(actions: TransactionAction[]): Promise<WriteResult>;
}

export const transactionLimit = 100;

export type OpenTable = (name: string) => Table;

/**
 * Tables by name. A missing table is created only with a connection string, as on a developer's machine (http-api.md 3).
 * @throws Error that names the setting, for a connection string or URL that the library refuses
 */
export function createTableOpener(settings: Settings['tables'], credential: TokenCredential): OpenTable {
  const createClient = createClients(settings, credential);
  try {
    createClient('Health');
  } catch {
    // The library's message may quote the key.
    const name = 'accountUrl' in settings ? 'TABLES_ACCOUNT_URL' : 'TABLES_CONNECTION_STRING';
    throw new Error(`These settings are missing or unreadable: ${name} (is refused by the client of the tables)`);
  }
  return (name) => createTable(createClient(name), 'connectionString' in settings);
}

function createClients(settings: Settings['tables'], credential: TokenCredential): (name: string) => TableClient {
  if ('accountUrl' in settings) {
    return (name) => new TableClient(settings.accountUrl, name, credential, sdkOptions);
  }
  const { connectionString } = settings;
  const allowInsecureConnection = /=http:\/\/|Protocol=http;|UseDevelopmentStorage=true/i.test(connectionString);
  return (name) => TableClient.fromConnectionString(connectionString, name, { ...sdkOptions, allowInsecureConnection });
}

function createTable(client: TableClient, createWhenMissing: boolean): Table {
  const run = createRunner(client, createWhenMissing);
  const { tableName } = client;
  return {
    get: (partitionKey, rowKey) =>
      run(`read ${tableName}`, (abortSignal) =>
        ifMissing(undefined, async () => (await client.getEntity(partitionKey, rowKey, { abortSignal })) as Row),
      ),
    list: (filter, limit = Number.POSITIVE_INFINITY) =>
      run(`list ${tableName}`, (abortSignal) => listRows(client, filter, limit, abortSignal)),
    remove: (partitionKey, rowKey) =>
      run(`remove from ${tableName}`, (abortSignal) =>
        ifMissing(false, async () => {
          await client.deleteEntity(partitionKey, rowKey, { abortSignal });
          return true;
        }),
      ),
    upsert: (entity) =>
      run(`upsert into ${tableName}`, async (abortSignal) => {
        await client.upsertEntity(entity, 'Replace', { abortSignal });
      }),
    transaction: (actions) =>
      run(`write to ${tableName}`, async (abortSignal) => {
        try {
          const { subResponses } = await client.submitTransaction(actions, { abortSignal });
          return { etag: subResponses[0]?.etag ?? '' };
        } catch (fault) {
          if (conflictStatuses.includes(statusOf(fault)) && !isTableMissing(fault)) return 'conflict';
          throw fault;
        }
      }),
  };
}

type Run = <Value>(what: string, work: (abortSignal: AbortSignal) => Promise<Value>) => Promise<Value>;

/** Runs an operation on a table, within its time. Whatever it throws becomes Problem unavailable. */
function createRunner(client: TableClient, createWhenMissing: boolean): Run {
  let created: Promise<void> | undefined;
  const ensureCreated = async (abortSignal: AbortSignal): Promise<void> => {
    created ??= client.createTable({ abortSignal }).catch((fault: unknown) => {
      created = undefined;
      throw fault;
    });
    await created;
  };
  return async (what, work) => {
    try {
      return await withAbortTimeout(operationMs, what, async (abortSignal) => {
        if (createWhenMissing) await ensureCreated(abortSignal);
        return work(abortSignal);
      });
    } catch (cause) {
      if (isTableMissing(cause)) created = undefined;
      throw new Problem('unavailable', 'The state of this service could not be reached.', {
        retryAfterSeconds: 5,
        cause,
      });
    }
  };
}

async function listRows(client: TableClient, filter: string, limit: number, abortSignal: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  const pages = client
    .listEntities({ queryOptions: { filter }, abortSignal })
    .byPage({ maxPageSize: Math.min(limit, largestPage) });
  for await (const page of pages) {
    rows.push(...(page as Row[]));
    if (rows.length >= limit) break;
  }
  return rows.slice(0, limit);
}

async function ifMissing<Value, Default>(value: Default, work: () => Promise<Value>): Promise<Value | Default> {
  try {
    return await work();
  } catch (fault) {
    if (statusOf(fault) === 404 && !isTableMissing(fault)) return value;
    throw fault;
  }
}

/** If the table is missing, a 404 says nothing about the row. */
function isTableMissing(fault: unknown): boolean {
  const { code, details } = (fault ?? {}) as { code?: string; details?: { odataError?: { code?: string } } };
  return /^Table(NotFound|BeingDeleted)$/.test(code ?? details?.odataError?.code ?? '');
}

function statusOf(fault: unknown): number {
  return fault instanceof Error && 'statusCode' in fault ? Number(fault.statusCode) : 0;
}
