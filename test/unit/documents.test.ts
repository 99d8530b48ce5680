/** The documents agree with the code: log events, reasons, and what is cited. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { pendingReason } from '../../src/shared/contract/pendingReason.ts';

const read = (path: string) => readFileSync(path, 'utf8');
const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => join(folder, file))
    .filter((file) => /\.(ts|js|md)$/.test(file) && !file.includes('generated'));
const documents = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...filesIn('docs')];
const operate = read('docs/operate.md');

/** The first and second cells of each row of a table. Several names in the first are rows of their own. */
const rows = [...operate.matchAll(/^\| (`[^|]+`) \| ([^|]+) \|/gm)].flatMap(([, names = '', second = '']) =>
  [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => ({ name, second })),
);

/** What recovery.ts calls the kinds in the names of its events. */
const kinds = [...read('src/shared/services/recovery.ts').matchAll(/name: '(\w+)'/g)].map(([, kind = '']) => kind);

/** An event of the log, with the levels that its call names. */
interface LogEvent {
  event: string;
  levels: string[];
}

/** The events of a text. `unread`: calls of a log that are written in another way, so that their event would be missed. */
function logCalls(text: string): { unread: number; events: LogEvent[] } {
  const found = [...text.matchAll(/\blog\(((?:[^'`]|'(?:info|warn|error)')*?), ?\s*(['`])([^'`]+)\2/g)];
  const events = found.flatMap(([, level = '', , name = '']) => {
    const levels = [...level.matchAll(/'(\w+)'/g)].map(([, one = '']) => one);
    const names = name.startsWith(`\${name}`) ? kinds.map((kind) => name.replace(`\${name}`, kind)) : [name];
    return names.map((event) => ({ event, levels }));
  });
  return { unread: [...text.matchAll(/\blog\(/g)].length - found.length, events };
}

const sources = filesIn('src').map((file) => ({ file, ...logCalls(read(file)) }));
const logged = sources.flatMap(({ events }) => events);

test('every call of a log is found, also those of a kind of fulfilment', () => {
  expect(kinds).toEqual(['consume', 'grant']);
  expect(logged.map(({ event }) => event)).toEqual(expect.arrayContaining(['request', 'store.call', 'grant.stuck']));
  expect(sources.filter(({ unread }) => unread !== 0).map(({ file }) => file)).toEqual([]);
});

test('operate.md has every event that is logged, with its level', () => {
  for (const { event, levels } of logged) {
    const row = rows.find(({ name }) => name === event);
    expect(row, event).toBeDefined();
    for (const level of levels) expect(row?.second, event).toMatch(new RegExp(`\\b${level}\\b`));
  }
});

test('operate.md has no event that is not logged', () => {
  const events = rows.filter(({ second }) => /^(info|warn|error)\b/.test(second)).map(({ name }) => name);
  expect(events.toSorted()).toEqual([...new Set(logged.map(({ event }) => event))].toSorted());
});

test('operate.md says who acts for each reason, and what each count of the recovery means', () => {
  const names = rows.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(pendingReason.options));
  for (const count of ['settled', 'pending', 'skipped', 'timeOver', 'remaining', 'waiting', 'oldestAgeMinutes']) {
    expect(names).toContain(count);
    expect(read('src/shared/fulfilment/recovery.ts')).toContain(count);
  }
});

/** The numbers of the sections of a page: 2, 2.11. */
const sectionsOf = (page: string) => [...read(page).matchAll(/^##+ ([\d.]+?)\.? /gm)].map(([, number]) => number);

test('every section that is cited exists', () => {
  const pages = new Map(
    readdirSync('docs').map((page) => [page, sectionsOf(join('docs', page))] as [string, string[]]),
  );
  const texts = [...['src', 'local', 'test', 'scripts'].flatMap(filesIn), ...documents];
  let citations = 0;
  for (const file of texts) {
    for (const [, page = '', number = ''] of read(file).matchAll(/\b([\w-]+\.md) (\d+(?:\.\d+)?)/g)) {
      expect(pages.get(page), `${file}: ${page}`).toContain(number);
      citations += 1;
    }
  }
  expect(citations).toBeGreaterThan(100);
});

/** As GitHub makes the anchor of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

test('every link of a document leads to a file, and to a heading in it', () => {
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? document : join(dirname(document), path);
      expect(existsSync(file), `${document}: ${target}`).toBe(true);
      if (anchor === undefined) continue;
      const anchors = [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
      expect(anchors, `${document}: ${target}`).toContain(anchor);
    }
  }
});

/** What is in `code type` and looks like a name. */
const codeNames = (text: string) => [...text.matchAll(/`([A-Za-z]\w*)`/g)].map(([, name = '']) => name);

test('every name that the glossary explains is there', () => {
  const names = [...read('docs/glossary.md').matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, word = '']) => codeNames(word));
  const code = ['src', 'local', 'test', 'infra'].flatMap((folder) => filesIn(folder).map(read)).join('\n');
  expect(names.length).toBeGreaterThan(60);
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
});

test('the tree in architecture.md has every file of the folders whose files it lists', () => {
  const [tree = ''] = read('docs/architecture.md').match(/## 2\. The tree[\s\S]*?### 2\.1/) ?? [];
  const listed = filesIn('src/shared').map((file) => file.replaceAll('\\', '/'));
  const names = listed
    .filter((file) => /shared\/(http|fulfilment|store|state|identity|lib|storeIds|entitlements)\//.test(file))
    .map((file) => file.replace(/^.*\//, '').replace(/\.ts$/, ''));
  expect(names.length).toBeGreaterThan(60);
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(tree))).toEqual([]);
});
