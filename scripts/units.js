// Checks each built unit against infra/units.json, and prints its size and cold load (importing it into a running process).
// Azure reports an app that registers nothing as deployed, so each unit is loaded and must register what the file says. And a unit
// contains only what its entry allows: no Store transport and no Entra without `store`, no Key Vault without `secrets` (or `vaultProbe`).
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
process.chdir(root);
execFileSync(process.execPath, ['scripts/build.js', '--quiet'], { stdio: 'inherit' });

const starts = 5;
const storeSources = ['src/shared/store/transport.ts', 'src/shared/identity/entra.ts'];
const vaultSource = 'node_modules/@azure/keyvault-secrets/';

const units = JSON.parse(readFileSync('infra/units.json', 'utf8'));
const bundles = JSON.parse(readFileSync('dist/units.meta.json', 'utf8'));
const files = readdirSync('src/functions').map((file) => file.replace(/\.ts$/, ''));
const assigned = Object.values(units).flatMap(({ functions }) => functions);
const faults = [];
const rows = [];

for (const file of files) {
  const count = assigned.filter((name) => name === file).length;
  if (count !== 1) faults.push(`src/functions/${file}.ts is in ${count} units, not in one`);
}
check('app', files, 'dist/app');
for (const [unit, entry] of Object.entries(units)) {
  check(unit, entry.functions, `dist/units/${unit}`);
  faults.push(...forbiddenIn(unit, entry));
}
printTable();
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
console.log(`${Object.keys(units).length} units, ${files.length} functions: as units.json says`);

function check(unit, expected, folder) {
  const loads = Array.from({ length: starts }, () => load(join(folder, 'index.js')));
  const [{ names }] = loads;
  if (JSON.stringify(names) !== JSON.stringify([...expected].sort()))
    faults.push(`${unit} registers ${JSON.stringify(names)}, not ${JSON.stringify(expected)}`);
  const median = loads.map(({ ms }) => ms).sort((a, b) => a - b)[Math.floor(starts / 2)];
  rows.push([unit, kilobytes(join(folder, 'main.js')), kilobytes(...scriptsOf(folder)), `${median.toFixed(0)} ms`]);
}

function load(main) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/loadUnit.js', main], { encoding: 'utf8' });
  if (status === 0) return JSON.parse(stdout);
  console.error(`${main} cannot be loaded: ${stderr.trim()}`);
  process.exit(1);
}

/** What a bundle contains that its entry does not allow. */
function forbiddenIn(unit, { store, secrets, vaultProbe = false }) {
  const [, { inputs }] = Object.entries(bundles).find(([output]) => output.endsWith(`units/${unit}/main.js`));
  const sources = Object.keys(inputs);
  const found = [];
  if (!store) found.push(...storeSources.filter((source) => sources.some((input) => input.endsWith(source))));
  const hasVault = sources.some((input) => input.includes(vaultSource));
  if (secrets.length === 0 && !vaultProbe && hasVault) found.push('Key Vault');
  return found.map((source) => `${unit} contains ${source}, which its entry in units.json does not allow`);
}

function scriptsOf(folder) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.js'))
    .map((file) => join(folder, file));
}

function kilobytes(...paths) {
  return `${Math.round(paths.reduce((sum, path) => sum + statSync(path).size, 0) / 1000)} kB`;
}

function printTable() {
  const all = [['unit', 'loaded', 'whole', 'cold load'], ...rows];
  const width = Math.max(...all.map(([unit]) => unit.length));
  for (const [unit, ...figures] of all) {
    console.log(`${unit.padEnd(width)}${figures.map((figure) => figure.padStart(11)).join('')}`);
  }
}
