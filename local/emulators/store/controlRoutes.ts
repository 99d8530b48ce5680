/** The control functions over HTTP, under /emulator/ on either listener. README.md describes them. */
import { ZodError } from 'zod';
import { type Control, ControlError } from './control.ts';
import type { Reply } from './errors.ts';

type Body = never;
type Route = [method: string, path: RegExp, act: (control: Control, body: Body, param: string) => unknown];

const routes: Route[] = [
  ['POST', /^\/emulator\/keys$/, (c, body) => c.createKeys(body)],
  ['POST', /^\/emulator\/keys\/revoke$/, (c, body) => c.revokeKeys(body)],
  ['POST', /^\/emulator\/x-tokens$/, (c, body) => c.createXToken(body)],
  ['PUT', /^\/emulator\/products\/([^/]+)$/, (c, body, productId) => c.putProduct(productId, body)],
  ['POST', /^\/emulator\/purchases$/, (c, body) => c.purchase(body)],
  ['POST', /^\/emulator\/items$/, (c, body) => c.addItem(body)],
  ['PUT', /^\/emulator\/users\/([^/]+)\/game-pass$/, (c, body, user) => c.putGamePass(user, body)],
  ['POST', /^\/emulator\/faults$/, (c, body) => c.addFault(body)],
  ['DELETE', /^\/emulator\/faults$/, (c) => c.clearFaults()],
  ['PUT', /^\/emulator\/settings$/, (c, body) => c.putSettings(body)],
  ['POST', /^\/emulator\/reset$/, (c) => c.reset()],
  ['GET', /^\/emulator\/state$/, (c) => c.state()],
];

/** 200 with the function's answer (`{}` if it has none), 400 `{error, issues?}`, 404 or 405. */
export function controlReply(control: Control, method: string, path: string, body: unknown): Reply {
  const here = routes.filter(([, pattern]) => pattern.test(path));
  const route = here.find(([routeMethod]) => routeMethod === method);
  if (!route) {
    if (here.length === 0)
      return { status: 404, body: { error: `No ${path} here: see local/emulators/store/README.md.` } };
    return { status: 405, headers: { allow: here.map(([name]) => name).join(', ') }, body: { error: 'Wrong method.' } };
  }
  const [, pattern, act] = route;
  try {
    // The function checks the body itself; its type is not known here.
    const answer = act(control, body as Body, decodeURIComponent(pattern.exec(path)?.[1] ?? ''));
    return { status: 200, body: answer ?? {} };
  } catch (error) {
    if (error instanceof ZodError) return { status: 400, body: { error: 'Not understood.', issues: error.issues } };
    if (error instanceof ControlError || error instanceof URIError)
      return { status: 400, body: { error: error.message } };
    throw error;
  }
}
