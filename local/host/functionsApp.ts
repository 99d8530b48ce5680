/** Does what the Node worker of Azure Functions does: loads an app, records what it registers, invokes it through the real programming model. */
import { randomUUID } from 'node:crypto';
import { Module } from 'node:module';

type HookName = 'appStart' | 'appTerminate' | 'preInvocation' | 'postInvocation' | 'log';
type Hook = (context: Record<string, unknown>) => unknown;

export interface Binding {
  type: string;
  direction: 'in' | 'out';
  name?: string;
  route?: string;
  methods?: string[];
  authLevel?: string;
  schedule?: string;
}

export interface HostedFunction {
  name: string;
  bindings: Record<string, Binding>;
  callback: (...args: unknown[]) => unknown;
}

/** The input of a trigger, in one of the two shapes of the worker's protocol that are used here. */
export type TriggerData = { http: RpcHttp } | { json: string };

export interface RpcHttp {
  method: string;
  url: string;
  nullableHeaders: Record<string, { value: string }>;
  nullableParams: Record<string, { value: string }>;
  nullableQuery: Record<string, { value: string }>;
  body: { bytes: Uint8Array };
}

export interface RpcResponse {
  returnValue?: { http?: { statusCode?: string; headers?: Record<string, string>; body?: RpcBody } } | null;
}
export type RpcBody = { bytes?: Uint8Array; string?: string; json?: string };

interface InvocationModel {
  getArguments(): Promise<{ context: object; inputs: unknown[] }>;
  invokeFunction(context: object, inputs: unknown[], callback: HostedFunction['callback']): Promise<unknown>;
  getResponse(context: object, result: unknown): Promise<RpcResponse>;
}

interface ProgrammingModel {
  getInvocationModel(core: object): InvocationModel;
  getCapabilities(capabilities: object): Promise<object>;
}

/** Takes one line of a function's or the model's log. */
export type LogSink = (level: string, source: string, message: string) => void;

export interface FunctionsApp {
  functions: ReadonlyMap<string, HostedFunction>;
  invoke(hosted: HostedFunction, data: TriggerData): Promise<RpcResponse>;
  terminate(): Promise<void>;
}

const coreModuleName = '@azure/functions-core';
const shownLevels = new Set(['information', 'warning', 'error', 'critical']);

/** What an app registers through the module that Azure's worker provides. */
interface Registry {
  functions: Map<string, HostedFunction>;
  hooks: Map<HookName, Hook[]>;
  model: ProgrammingModel | undefined;
}

/**
 * Loads the app and runs its start hooks. One app in a process, because `require` is patched for the whole process.
 * @throws what the app or one of its hooks throws
 */
export async function loadApp(load: () => Promise<unknown>, log: LogSink): Promise<FunctionsApp> {
  const registry: Registry = { functions: new Map(), hooks: new Map(), model: undefined };
  const { functions, hooks } = registry;
  const appHookData = {};
  provideModule(coreModule(registry, log));
  const run = async (name: HookName, context: Record<string, unknown>): Promise<Record<string, unknown>> => {
    for (const hook of hooks.get(name) ?? []) await hook(context);
    return context;
  };

  await load();
  const { model } = registry;
  if (functions.size === 0 || !model) throw new Error('The app registers no function.');
  await run('appStart', { hookData: {}, appHookData });
  await model.getCapabilities({});

  const invokeWith = async (
    core: ReturnType<typeof coreContext>,
    { callback }: HostedFunction,
  ): Promise<RpcResponse> => {
    const invocation = model.getInvocationModel(core);
    const { context, inputs } = await invocation.getArguments();
    const shared = { hookData: {}, appHookData, invocationContext: context };
    core.state = 'preInvocationHooks';
    const before = await run('preInvocation', { ...shared, inputs, functionCallback: callback });
    core.state = 'invocation';
    const outcome = await invocation
      .invokeFunction(context, before.inputs as unknown[], before.functionCallback as HostedFunction['callback'])
      .then(
        (result) => ({ result, error: undefined }),
        (error: unknown) => ({ result: undefined, error: error ?? new Error('rejected') }),
      );
    core.state = 'postInvocationHooks';
    const after = await run('postInvocation', { ...shared, inputs, ...outcome });
    if (after.error !== undefined) throw after.error;
    return invocation.getResponse(context, after.result);
  };

  return {
    functions,
    terminate: async () => {
      await run('appTerminate', { hookData: {}, appHookData });
    },
    async invoke(hosted, data) {
      const core = coreContext(hosted, data, log);
      try {
        return await invokeWith(core, hosted);
      } finally {
        // Azure's host drops what an invocation logs after its answer.
        core.log = () => undefined;
      }
    },
  };
}

/** The module `@azure/functions-core`, with the members that the programming model uses. */
function coreModule(registry: Registry, log: LogSink): object {
  const { functions, hooks } = registry;
  return {
    version: '4.1000.0',
    setProgrammingModel: (model: ProgrammingModel) => {
      registry.model = model;
    },
    getProgrammingModel: () => registry.model,
    registerFunction: (metadata: Omit<HostedFunction, 'callback'>, callback: HostedFunction['callback']) => {
      if (functions.has(metadata.name)) throw new Error(`Two functions are named ${metadata.name}.`);
      functions.set(metadata.name, { ...metadata, callback });
      return { dispose: () => functions.delete(metadata.name) };
    },
    registerHook: (name: HookName, hook: Hook) => {
      hooks.set(name, [...(hooks.get(name) ?? []), hook]);
      return {
        dispose: () =>
          hooks.set(
            name,
            (hooks.get(name) ?? []).filter((other) => other !== hook),
          ),
      };
    },
    log: (level: string, _category: string, message: string) => {
      if (shownLevels.has(level)) log(level, 'app', message);
    },
  };
}

function coreContext(hosted: HostedFunction, data: TriggerData, log: LogSink) {
  const trigger = triggerOf(hosted);
  const invocationId = randomUUID();
  return {
    invocationId,
    request: { invocationId, inputData: [{ name: trigger.name, data }], triggerMetadata: {} },
    metadata: { name: hosted.name, bindings: hosted.bindings },
    state: undefined as string | undefined,
    log: (level: string, _category: string, message: string) => {
      if (shownLevels.has(level)) log(level, hosted.name, message);
    },
  };
}

/** The binding that starts a function, with its name. */
export function triggerOf(hosted: HostedFunction): Binding & { name: string } {
  for (const [name, binding] of Object.entries(hosted.bindings)) {
    if (/trigger$/i.test(binding.type)) return { ...binding, name };
  }
  throw new Error(`The function ${hosted.name} has no trigger.`);
}

/** `module.registerHooks` is not in Node 20; every `require`, of bundles and of `createRequire` too, comes by this prototype. */
function provideModule(core: object): void {
  const prototype = Module.prototype as unknown as { require: (id: string) => unknown };
  prototype.require = new Proxy(prototype.require, {
    apply: (target, self, [id]: [string]) => (id === coreModuleName ? core : Reflect.apply(target, self, [id])),
  });
}
