// Runs a Node script on the version that Azure runs: node scripts/deployNode.js [NAME=VALUE...] SCRIPT [ARGUMENT...]
// NAME=VALUE sets a variable of its environment, in any shell.
// The binary comes from npm for this one run. It is no dependency: as one, it would replace the machine's own Node.
import { spawnSync } from 'node:child_process';

const deployed = '24.9.0';
const { platform, arch, versions, execPath } = process;
const script = process.argv.slice(2);
const env = { ...process.env };
for (let setting = variable(script[0]); setting; setting = variable(script[0])) {
  env[setting[1]] = setting[2];
  script.shift();
}

const run = versions.node.split('.')[0] === deployed.split('.')[0] ? runHere() : runDeployed();
if (run.error) console.error(`The script could not be run: ${run.error.message}`);
process.exit(run.status ?? 1);

function runHere() {
  console.log(`Node ${versions.node}, the version that is deployed:`);
  return spawnSync(execPath, script, { stdio: 'inherit', env });
}

function runDeployed() {
  console.log(`Node ${deployed}, as deployed:`);
  const binary = `node-${platform === 'win32' ? 'win' : platform}-${arch}@${deployed}`;
  return spawnSync('npm', ['exec', '--yes', '--loglevel=error', `--package=${binary}`, '--', 'node', ...script], {
    stdio: 'inherit',
    shell: platform === 'win32',
    env,
  });
}

function variable(argument = '') {
  return /^(\w+)=(.*)$/s.exec(argument);
}
