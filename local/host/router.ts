/** Which function a request is for, as Azure's host decides it. Pure. */
import { type HostedFunction, triggerOf } from './functionsApp.ts';

export interface Route {
  hosted: HostedFunction;
  methods: ReadonlySet<string>;
  anonymous: boolean;
  segments: Segment[];
}
type Segment = { literal: string } | { parameter: string };

export type Match = { route: Route; params: Record<string, string>; path: string } | 'notFound' | 'badRequest';

const allMethods = ['GET', 'POST', 'DELETE', 'HEAD', 'PATCH', 'PUT', 'OPTIONS', 'TRACE', 'CONNECT'];

/** The HTTP routes of an app; literal segments go before parameters. */
export function routesOf(functions: Iterable<HostedFunction>, prefix: string): Route[] {
  return [...functions]
    .filter((hosted) => triggerOf(hosted).type === 'httpTrigger')
    .map((hosted) => {
      const { route = hosted.name, methods = allMethods, authLevel = 'function' } = triggerOf(hosted);
      return {
        hosted,
        methods: new Set(methods.map((method) => method.toUpperCase())),
        anonymous: authLevel === 'anonymous',
        segments: segmentsOf(`${prefix}/${route}`),
      };
    })
    .sort((a, b) => specificity(a).localeCompare(specificity(b)));
}

function segmentsOf(template: string): Segment[] {
  return template
    .split('/')
    .filter((part) => part !== '')
    .map((part) => {
      const parameter = /^\{(\w+)\}$/.exec(part)?.[1];
      return parameter === undefined ? { literal: part.toLowerCase() } : { parameter };
    });
}

function specificity({ segments }: Route): string {
  return segments.map((segment) => ('literal' in segment ? '0' : '1')).join('');
}

/** Finds the route of a path as it was sent, with its escapes and without its query. */
export function match(routes: readonly Route[], method: string, encodedPath: string): Match {
  const path = decodePath(encodedPath);
  if (path === undefined) return 'badRequest';
  const parts = path.split('/').filter((part) => part !== '');
  for (const route of routes) {
    const params = route.methods.has(method) ? paramsOf(route, parts) : undefined;
    if (params) return { route, params, path };
  }
  return 'notFound';
}

function paramsOf({ segments }: Route, parts: string[]): Record<string, string> | undefined {
  if (segments.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const part = parts[index] ?? '';
    if ('parameter' in segment) params[segment.parameter] = part;
    else if (segment.literal !== part.toLowerCase()) return undefined;
  }
  return params;
}

/** Decodes every escape but `%2F`; undefined for U+0000 and for what is not UTF-8. */
export function decodePath(encoded: string): string | undefined {
  try {
    const decoded = encoded
      .split(/%2f/i)
      .map((part) => decodeURIComponent(part))
      .join('%2F');
    return decoded.includes('\u0000') ? undefined : decoded;
  } catch {
    // decodeURIComponent throws on malformed escapes and nothing else.
    return undefined;
  }
}
