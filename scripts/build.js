// Makes dist/: app (all functions), units (each deployable alone) and local (what stands in for Azure on a developer's machine).
// --quiet prints nothing; --unbundled also emits dist/unbundled, file by file, for the cold-load figure of the bench.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
process.chdir(root);
const quiet = process.argv.includes('--quiet');
if (!quiet) console.log('Building ...');
const dist = join(root, 'dist');
const units = JSON.parse(readFileSync('infra/units.json', 'utf8'));
const host = readFileSync('host.json', 'utf8');
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

// A build replaces the previous one part by part, each as a whole: a process that runs from dist/ never sees half of one.
mkdirSync(dist, { recursive: true });
const staging = mkdtempSync(join(dist, '.next-'));

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  logLevel: 'warning',
  legalComments: 'none',
};
// A debugger, and the stack of a fault, find src/ and local/ through these.
const sourceMaps = { sourcemap: true, sourcesContent: false };
// Packages in CommonJS within a bundle ask for Node's modules, and for @azure/functions-core, by require.
const banner = { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" };

/** What the host loads. Node reads the map of a file only if maps are on before the file is imported. */
const entry = "process.setSourceMapsEnabled(true);\nawait import('./main.js');\n";

/** The app of all functions checks every setting; a unit only those that it reads. */
const imports = (folder, functions) =>
  [...(folder === 'app' ? ['../shared/services/wholeApp'] : []), ...functions]
    .map((name) => `import './${name}.ts';`)
    .join('\n');

/** An entry that imports the functions of an app. */
const entriesOf = (apps) => ({
  name: 'entries',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^app:/ }, ({ path }) => ({ path: path.slice('app:'.length), namespace: 'app' }));
    onLoad({ filter: /.*/, namespace: 'app' }, ({ path }) => ({
      contents: imports(path, apps[path]),
      resolveDir: join(root, 'src/functions'),
    }));
  },
});

/** What is imported at first use stays a file of its own beside the bundle, so that a start does not load it. */
const lazyFile = 'azureIdentity.js';
const lazyIdentity = {
  name: 'lazy identity',
  setup({ onResolve }) {
    onResolve({ filter: /\/azureIdentity\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: `./${lazyFile}`, external: true } : undefined,
    );
  },
};

/**
 * Libraries are not in the maps of an app, so that these are a tenth of the size and of the memory that the first stack takes: each
 * library file has a map of a single entry.
 */
const unmapped = Buffer.from(
  '{"version":3,"sources":["library"],"sourcesContent":[""],"names":[],"mappings":"AAAA"}',
).toString('base64');
const unmappedLibraries = {
  name: 'unmapped libraries',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, ({ path }) => ({
      contents: `${readFileSync(path, 'utf8')}\n//# sourceMappingURL=data:application/json;base64,${unmapped}`,
      loader: 'js',
    }));
  },
};

/** Function apps by folder, each a bundle of its own; in one build, so that what they share is read once. */
const bundleApps = (apps, options = {}) =>
  build({
    ...common,
    ...options,
    banner,
    outdir: staging,
    minifySyntax: true,
    minifyWhitespace: true,
    external: ['@azure/functions-core'],
    entryPoints: Object.keys(apps).map((folder) => ({ in: `app:${folder}`, out: `${folder}/main` })),
    plugins: [entriesOf(apps), lazyIdentity, unmappedLibraries],
  });

/** Library code alone: nobody needs its names in a stack trace. */
function bundleLazyIdentity() {
  return build({
    ...common,
    banner,
    minify: true,
    entryPoints: ['src/shared/identity/azureIdentity.ts'],
    outfile: join(staging, lazyFile),
  });
}

/** Whether a unit's bundle imports the file. */
function importsLazily({ outputs }, unit) {
  const [, { imports: imported }] = Object.entries(outputs).find(([output]) =>
    output.endsWith(`units/${unit}/main.js`),
  );
  return imported.some(({ path }) => path.endsWith(lazyFile));
}

const functionNames = readdirSync('src/functions')
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3));
const unitApps = Object.fromEntries(Object.entries(units).map(([unit, { functions }]) => [`units/${unit}`, functions]));
const localEntries = {
  start: 'local/start.ts',
  demo: 'local/demo.ts',
  host: 'local/host/main.ts',
  bench: 'test/bench/main.ts',
};

try {
  const [, { metafile }] = await Promise.all([
    bundleApps({ app: functionNames }, sourceMaps),
    bundleApps(unitApps, { ...sourceMaps, metafile: true }),
    bundleLazyIdentity(),
    build({
      ...common,
      ...sourceMaps,
      entryPoints: localEntries,
      outdir: join(staging, 'local'),
      packages: 'external',
      splitting: true,
    }),
  ]);
  for (const folder of ['app', 'local', ...Object.keys(unitApps)]) moveSources(join(staging, folder));
  copyFileSync(join(staging, lazyFile), join(staging, 'app', lazyFile));
  writeFileSync(join(staging, 'app', 'index.js'), entry);
  for (const unit of Object.keys(units)) {
    const folder = join(staging, 'units', unit);
    if (importsLazily(metafile, unit)) copyFileSync(join(staging, lazyFile), join(folder, lazyFile));
    writeFileSync(join(folder, 'host.json'), host);
    writeFileSync(join(folder, 'index.js'), entry);
    writeFileSync(
      join(folder, 'package.json'),
      `${JSON.stringify({ name: unit, version, type: 'module', main: 'index.js' }, null, 2)}\n`,
    );
  }
  rmSync(join(staging, lazyFile));
  // What each unit is made of: scripts/units.js checks it.
  writeFileSync(join(staging, 'units.meta.json'), JSON.stringify(metafile.outputs));
  if (process.argv.includes('--unbundled')) emitUnbundled(join(staging, 'unbundled'));
  for (const part of readdirSync(staging)) {
    const old = join(dist, `.old-${process.pid}-${part}`);
    if (existsSync(join(dist, part))) renameSync(join(dist, part), old);
    renameSync(join(staging, part), join(dist, part));
    rmSync(old, { recursive: true, force: true });
  }
} finally {
  rmSync(staging, { recursive: true, force: true });
}
if (!quiet) console.log(`dist/: app, ${Object.keys(units).length} units, local`);

/** Corrects the paths in source maps: the folder of the build is one level below dist/, where its parts are moved to. */
function moveSources(folder) {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.map'))) {
    const file = join(folder, name);
    const map = JSON.parse(readFileSync(file, 'utf8'));
    map.sources = map.sources.map((source) => source.replace('../', ''));
    writeFileSync(file, JSON.stringify(map));
  }
}

function emitUnbundled(outDir) {
  const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '..', 'bin', 'tsc');
  const project = join(staging, 'tsconfig.json');
  writeFileSync(
    project,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { noEmit: false, outDir, rootDir: join(root, 'src') },
      include: [join(root, 'src')],
    }),
  );
  execFileSync(process.execPath, [tsc, '--project', project], { stdio: 'inherit' });
  rmSync(project);
  writeFileSync(join(outDir, 'main.js'), functionNames.map((name) => `import './functions/${name}.js';\n`).join(''));
}
