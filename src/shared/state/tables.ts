import {
  TableClient,
  type TableEntity,
  type TableServiceClientOptions,
  type TransactionAction,
} from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import type { Config } from '../config.ts';
import { Problem } from '../problem.ts';
import { within } from '../within.ts';

const operationMs = 10_000;
const sdkOptions: TableServiceClientOptions = {
  retryOptions: { maxRetries: 3, retryDelayInMs: 100, maxRetryDelayInMs: 1000 },
};

/** As read: the properties of the entity, unchecked. */
export type Row = Record<string, unknown> & { partitionKey: string; rowKey: string; etag: string };
/** `conflict`: the row is there, is gone or was changed; or the SDK repeated a write of its own that had come through. Read again. */
export type Written = 'written' | 'conflict';

/** One table. Every operation throws Problem unavailable when the table cannot be reached; nothing else. */
export interface Table {
  get(partitionKey: string, rowKey: string): Promise<Row | undefined>;
  /** All pages, in the order of the row keys; `filter` is OData. */
  list(filter: string): Promise<Row[]>;
  insert(entity: TableEntity): Promise<Written>;
  /** Replaces the row that was read with this ETag. */
  replace(entity: TableEntity, etag: string): Promise<Written>;
  upsert(entity: TableEntity): Promise<void>;
  /** Rows of one partition, all or none; at most 100. */
  transaction(actions: TransactionAction[]): Promise<Written>;
}

export type OpenTable = (name: string) => Table;

/** Tables by name. They are created when missing only with a connection string, which is a developer's machine (http-api.md 3). */
export function openTables(settings: Config['tables'], credential: TokenCredential): OpenTable {
  return (name) => {
    if ('accountUrl' in settings)
      return tableOver(new TableClient(settings.accountUrl, name, credential, sdkOptions), false);
    const { connectionString } = settings;
    const allowInsecureConnection = /=http:\/\/|Protocol=http;|UseDevelopmentStorage=true/i.test(connectionString);
    return tableOver(
      TableClient.fromConnectionString(connectionString, name, { ...sdkOptions, allowInsecureConnection }),
      true,
    );
  };
}

function tableOver(client: TableClient, createWhenMissing: boolean): Table {
  let created: Promise<void> | undefined;
  const ready = async (abortSignal: AbortSignal): Promise<void> => {
    created ??= client.createTable({ abortSignal }).catch((fault: unknown) => {
      created = undefined;
      throw fault;
    });
    await created;
  };

  const run = async <Value>(what: string, work: (abortSignal: AbortSignal) => Promise<Value>): Promise<Value> => {
    try {
      return await within(operationMs, what, async (abortSignal) => {
        if (createWhenMissing) await ready(abortSignal);
        return work(abortSignal);
      });
    } catch (cause) {
      if (cause instanceof Problem) throw cause;
      throw new Problem('unavailable', 'The state of this service could not be reached.', {
        retryAfterSeconds: 5,
        cause,
      });
    }
  };
  const write = (what: string, work: (abortSignal: AbortSignal) => Promise<unknown>): Promise<Written> =>
    run(what, async (abortSignal) => {
      try {
        await work(abortSignal);
        return 'written';
      } catch (fault) {
        if ([404, 409, 412].includes(statusOf(fault))) return 'conflict';
        throw fault;
      }
    });

  return {
    get: (partitionKey, rowKey) =>
      run(`read ${client.tableName}`, async (abortSignal) => {
        try {
          return (await client.getEntity(partitionKey, rowKey, { abortSignal })) as Row;
        } catch (fault) {
          if (statusOf(fault) === 404) return undefined;
          throw fault;
        }
      }),
    list: (filter) =>
      run(`list ${client.tableName}`, async (abortSignal) => {
        const rows: Row[] = [];
        for await (const row of client.listEntities({ queryOptions: { filter }, abortSignal })) rows.push(row as Row);
        return rows;
      }),
    insert: (entity) =>
      write(`insert into ${client.tableName}`, (abortSignal) => client.createEntity(entity, { abortSignal })),
    replace: (entity, etag) =>
      write(`replace in ${client.tableName}`, (abortSignal) =>
        client.updateEntity(entity, 'Replace', { etag, abortSignal }),
      ),
    upsert: (entity) =>
      run(`upsert into ${client.tableName}`, async (abortSignal) => {
        await client.upsertEntity(entity, 'Replace', { abortSignal });
      }),
    transaction: (actions) =>
      write(`write to ${client.tableName}`, (abortSignal) => client.submitTransaction(actions, { abortSignal })),
  };
}

function statusOf(fault: unknown): number {
  return fault instanceof Error && 'statusCode' in fault ? Number(fault.statusCode) : 0;
}
