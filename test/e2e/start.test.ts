/** `npm start` and `npm run demo` as a developer uses them. Their build is that of the test run. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { WebSocket } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { assertPortFree, portsFrom } from '../../local/ports.ts';

const script = resolve('dist/local/start.js');
const hasCurl = spawnSync('curl', ['--version']).status === 0;

/** A checkout of its own: the `.local/` of whoever runs the tests may be in use. */
function checkout(): string {
  const folder = mkdtempSync(join(tmpdir(), 'start-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['dist', 'host.json', 'package.json']) symlinkSync(resolve(name), join(folder, name));
  return folder;
}

interface Run {
  child: ChildProcess;
  /** What it has printed so far, on both streams. */
  text(): string;
  ended: Promise<{ code: number | null; text: string }>;
}

function start(folder: string, ...args: string[]): Run {
  const child = spawn(process.execPath, [script, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  const ended = once(child, 'close').then(([code]) => ({ code, text }));
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  return { child, text: () => text, ended };
}

const isFree = (port: number): Promise<boolean> =>
  assertPortFree(port).then(
    () => true,
    () => false,
  );

/** The first of as many free ports in a row. They are below those that the system gives to whoever asks for any. */
async function freeRow(count: number): Promise<number> {
  for (;;) {
    const first = 10_000 + Math.floor(Math.random() * 20_000);
    const free = await Promise.all(Array.from({ length: count }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return first;
  }
}

test('--help lists the options; an unknown option ends with exit code 2 before anything starts', async () => {
  const folder = checkout();
  const help = await start(folder, '--help').ended;
  expect(help.code).toBe(0);
  expect(help.text).toMatch(/--port N[\s\S]*--inspect\[=PORT\][\s\S]*--help/);
  const unknown = await start(folder, '--prot', '8171').ended;
  expect(unknown).toEqual({ code: 2, text: 'Unknown option --prot. See npm start -- --help.\n' });
  const bad = await start(folder, '--port', 'high').ended;
  expect(bad.code).toBe(2);
  expect(bad.text).toMatch(
    /^--port takes a port number from 1 to 65531, and got "high"\. See npm start -- --help\.\n$/,
  );
  expect(existsSync(join(folder, '.local'))).toBe(false);
});

test.each([
  ['functions', 0],
  ['Key Vault', 2],
] as const)('if the port of %s is in use, it says which one and what to do', async (part, offset) => {
  const first = await freeRow(5);
  const blocker = createServer().listen(first + offset, '127.0.0.1');
  await once(blocker, 'listening');
  onTestFinished(() => new Promise((done) => blocker.close(() => done())));
  const { code, text } = await start(checkout(), '--port', String(first)).ended;
  expect(code).toBe(1);
  expect(text).toContain(`Port ${first + offset} (${part}) is in use.`);
  expect(text).toContain('npm start -- --port N');
});

test('a port in use for the debugger is not ignored', async () => {
  const first = await freeRow(6);
  const blocker = createServer().listen(first + 5, '127.0.0.1');
  await once(blocker, 'listening');
  onTestFinished(() => new Promise((done) => blocker.close(() => done())));
  const { code, text } = await start(checkout(), '--port', String(first), `--inspect=${first + 5}`).ended;
  expect(code).toBe(1);
  expect(text).toContain(`Port ${first + 5} (debugger) is in use.`);
  expect(text).toContain('npm start -- --inspect=PORT');
});

test('--port moves all ports, the printed guide is right, a breakpoint in src/ is hit, Ctrl-C ends it', async () => {
  const first = await freeRow(6);
  const inspectPort = first + 5;
  const folder = checkout();
  const run = start(folder, '--port', String(first), `--inspect=${inspectPort}`);
  await expect.poll(run.text, { timeout: 60_000 }).toContain('Ctrl-C ends all of it.');
  expect(run.text()).toMatch(
    /^Starting the emulators [\s\S]*^Starting Azurite \.\.\.$[\s\S]*^Starting the functions \.\.\.$/m,
  );
  const openApi = (await (await fetch(`http://localhost:${first}/api/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const listed = [...run.text().matchAll(/^ {2}([A-Z, ]+?) +http:\/\/localhost:(\d+)\/api(\S+) +\w+$/gm)];
  expect(new Set(listed.map(([, , port]) => Number(port)))).toEqual(new Set([first]));
  const routes = listed.map(([, methods = '', , path]) => `${path} ${methods.split(', ').sort()}`);
  const documented = Object.entries(openApi.paths).map(
    ([path, operations]) =>
      `${path} ${Object.keys(operations)
        .map((method) => method.toUpperCase())
        .sort()}`,
  );
  expect(routes.sort()).toEqual(documented.sort());

  if (hasCurl && process.platform !== 'win32') pasteRequests(run.text(), folder);
  await hitBreakpoint(inspectPort, `http://localhost:${first}/api/health`);

  const second = await start(folder, '--port', String(await freeRow(5))).ended;
  expect(second.code).toBe(1);
  expect(second.text).toContain(`Another stack (process ${run.child.pid}) keeps its state in`);

  run.child.kill('SIGINT');
  expect((await run.ended).code).toBe(0);
  expect(existsSync(join(folder, '.local', 'stack.pid'))).toBe(false);
  const ports = [...Object.values(portsFrom(first)), inspectPort];
  expect(await Promise.all(ports.map(isFree))).toEqual(ports.map(() => true));
});

/** Runs what the guide says to paste, and the request that runs the timer. */
function pasteRequests(guide: string, folder: string): void {
  const pasted =
    /^# The game client[\s\S]*?(?=^Ctrl-C)/m.exec(guide)?.[0].replaceAll(/^(curl .*)$/gm, '$1; echo') ?? '';
  const output = execFileSync('bash', ['-e'], { cwd: folder, input: pasted, encoding: 'utf8' });
  const [, , registered, owned, gamePass] = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(registered).toMatchObject({ userId: 'player-1', collections: { state: 'fresh' } });
  expect(owned.items).toMatchObject([{ productId: '9NSWORD', status: 'Active' }]);
  expect(gamePass).toMatchObject({ subscribed: false });
  const timer = /^ {2}consumeRecovery: (curl .*)$/m.exec(guide)?.[1];
  const status = execFileSync('bash', ['-c', `${timer} -w '%{http_code}'`], { cwd: folder, encoding: 'utf8' });
  expect(status).toBe('202');
}

test('the demo comes out right and says so in words', async () => {
  const demo = spawn(process.execPath, ['dist/local/demo.js'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  demo.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  expect((await once(demo, 'close'))[0], text).toBe(0);
  expect(text).toContain('-> 200 completed, 70 left');
  const outcomes = text.match(/^ {3}-> .*$/gm) ?? [];
  expect(outcomes.length).toBeGreaterThan(15);
  expect(text).toContain(`All ${outcomes.length} steps came out right.`);
  for (const outcome of outcomes) expect(outcome).not.toMatch(/[[\]{}"]|undefined/);
});

/** Attaches as an editor does: finds src/functions/health.ts in the bundle through the source map and stops there. */
async function hitBreakpoint(port: number, url: string): Promise<void> {
  const bundle = resolve('dist/app/main.js');
  const map = new SourceMap(JSON.parse(readFileSync(`${bundle}.map`, 'utf8')));
  const originOf = (line: number, column: number): string => {
    const entry = map.findEntry(line, column);
    return 'originalSource' in entry ? resolve('dist/app', entry.originalSource) : '';
  };
  const source = resolve('src/functions/health.ts');
  expect(existsSync(source)).toBe(true);
  const places = readFileSync(bundle, 'utf8')
    .split('\n')
    .flatMap((text, line) => [...text.matchAll(/ealth/g)].map(({ index }) => ({ line, column: index })))
    .filter(({ line, column }) => originOf(line, column) === source);
  const [firstPlace, lastPlace] = [places[0], places.at(-1)];
  if (!firstPlace || !lastPlace) return expect.fail('The source map has nothing of src/functions/health.ts');

  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as [
    { webSocketDebuggerUrl: string },
  ];
  const inspector = await connect(target.webSocketDebuggerUrl);
  const scriptId = await inspector.scriptId(/dist\/app\/main\.js$/);
  const { locations } = await inspector.send('Debugger.getPossibleBreakpoints', {
    start: { scriptId, lineNumber: firstPlace.line, columnNumber: firstPlace.column },
    end: { scriptId, lineNumber: lastPlace.line, columnNumber: lastPlace.column },
  });
  const here = locations.filter(
    ({ lineNumber, columnNumber }: Location) => originOf(lineNumber, columnNumber) === source,
  );
  expect(here.length).toBeGreaterThan(0);
  for (const location of here) await inspector.send('Debugger.setBreakpoint', { location });

  const answer = fetch(url);
  const [frame] = (await inspector.paused).callFrames;
  expect(originOf(frame.location.lineNumber, frame.location.columnNumber)).toBe(source);
  await inspector.send('Debugger.disable');
  expect((await answer).status).toBe(200);
  inspector.close();
}

interface Location {
  lineNumber: number;
  columnNumber: number;
}

async function connect(url: string) {
  const socket = new WebSocket(url);
  // biome-ignore lint/suspicious/noExplicitAny: the inspector's protocol.
  type Message = any;
  const replies = new Map<number, (result: Message) => void>();
  const scripts: { scriptId: string; url: string }[] = [];
  let onPaused: (event: Message) => void;
  const paused = new Promise<Message>((resolvePaused) => {
    onPaused = resolvePaused;
  });
  socket.addEventListener('message', ({ data }) => {
    const { id, result, method, params } = JSON.parse(String(data));
    if (id !== undefined) replies.get(id)?.(result);
    if (method === 'Debugger.scriptParsed') scripts.push(params);
    if (method === 'Debugger.paused') onPaused(params);
  });
  await once(socket as unknown as NodeJS.EventEmitter, 'open');
  const send = (method: string, params: object = {}): Promise<Message> =>
    new Promise((done) => {
      const id = replies.size + 1;
      replies.set(id, done);
      socket.send(JSON.stringify({ id, method, params }));
    });
  // Its reply comes after the scripts that are loaded already.
  await send('Debugger.enable');
  return {
    send,
    paused,
    scriptId: (pattern: RegExp): string => scripts.find((one) => pattern.test(one.url))?.scriptId ?? '',
    close: () => socket.close(),
  };
}
