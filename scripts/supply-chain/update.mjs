// `npm run update PACKAGE…` updates packages: only to versions that have been published for a week, because most malicious
// ones are found and removed within days; exactly pinned; without running their scripts.
import { spawnSync } from 'node:child_process'
import { npmCommand } from '../setup/npm-packages.mjs'
import { policy } from './lockfile.mjs'

/** npm 11.10 is the first that knows `min-release-age`; older ones would silently ignore it. */
const oldestNpm = [11, 10]

const npm = npmCommand()
const call = (args, stdio) => spawnSync(npm.command, [...npm.args, ...args], { encoding: 'utf8', stdio })

const [major, minor] = call(['--version'], 'pipe').stdout.split('.').map(Number)
if (major < oldestNpm[0] || (major === oldestNpm[0] && minor < oldestNpm[1])) {
  console.error(`npm ${oldestNpm.join('.')} or newer is needed: older ones don't know how old a version is.`)
  process.exit(1)
}
const options = [
  `--min-release-age=${policy.releaseAgeDays}`,
  '--save-exact',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
]
process.exitCode = call(['install', ...options, ...process.argv.slice(2)], 'inherit').status ?? 1
