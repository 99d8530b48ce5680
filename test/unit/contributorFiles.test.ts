/** Files for editors and tools, which nothing here runs: they must agree with the code. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { lastLine } from '../../local/guide.ts';
import { parseStartOptions } from '../../local/options.ts';

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const { version } = json('package.json').engines.node.match(/(?<version>[\d.]+)$/).groups;

/** As Core Tools read a pattern: from the root, the beginning of a path is enough; `*` is within one folder. */
function ignoredPaths(paths: string[]): string[] {
  const patterns = readFileSync('.funcignore', 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  for (const pattern of patterns) expect(pattern).toMatch(/^\/[^!?[\]]+$/);
  const expressions = patterns.map((pattern) => {
    const escaped = pattern
      .slice(1)
      .replace(/[.+(){}|^$\\]/g, '\\$&')
      .replaceAll('*', '[^/]+');
    return new RegExp(`^${escaped}(/|$)`);
  });
  return paths.filter((path) => expressions.some((expression) => expression.test(path)));
}

test('only what the app needs is deployed to Azure', () => {
  const folders = new Set(readdirSync('.', { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? [e.name] : [])));
  const root = readdirSync('.').filter((name) => name !== 'dist');
  const paths = [
    ...root.map((name) => (folders.has(name) ? `${name}/some/file.js` : name)),
    'dist/app/index.js',
    'dist/app/main.js',
    'dist/app/azureIdentity.js',
    'dist/app/main.js.map',
    'dist/local/start.js',
    'dist/unbundled/main.js',
    'dist/units/health/main.js',
    'dist/units.meta.json',
    'dist/.next-a1/app/main.js',
  ];
  const ignored = ignoredPaths(paths);
  expect(paths.filter((path) => !ignored.includes(path))).toEqual([
    'host.json',
    'package.json',
    'dist/app/index.js',
    'dist/app/main.js',
    'dist/app/azureIdentity.js',
    'dist/app/main.js.map',
  ]);
});

test('the Node version of a checkout is the one that is deployed, and one that the package runs on', () => {
  const nvmrc = readFileSync('.nvmrc', 'utf8').trim();
  const deployed = /deployed = '(\d+)\./.exec(readFileSync('scripts/deployNode.js', 'utf8'))?.[1];
  expect(nvmrc).toBe(deployed);
  expect(Number(nvmrc)).toBeGreaterThanOrEqual(Number.parseInt(version, 10));
});

test('one keystroke starts the stack, attaches the debugger, and ends the stack', () => {
  const { configurations } = json('.vscode/launch.json');
  const { tasks, inputs } = json('.vscode/tasks.json');
  const [attach] = configurations;
  const start = tasks.find(({ label }: { label: string }) => label === attach.preLaunchTask);
  const end = tasks.find(({ label }: { label: string }) => label === attach.postDebugTask);

  const [, options = ''] = /^npm start -- (.*)$/.exec(start.command) ?? [];
  expect(parseStartOptions(options.split(' ')).inspectPort).toBe(attach.port);
  const { beginsPattern, endsPattern } = start.problemMatcher.background;
  expect(readFileSync('scripts/build.js', 'utf8')).toContain("console.log('Building ...')");
  expect('Building ...').toMatch(new RegExp(beginsPattern));
  expect(lastLine).toMatch(new RegExp(endsPattern));
  expect(end.command).toContain(`\${input:${inputs[0].id}}`);
  expect(inputs[0]).toMatchObject({ command: 'workbench.action.tasks.terminate', args: 'terminateAll' });
});
