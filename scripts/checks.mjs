// The checks without tests, in one list: `npm run check` runs all of them, `npm run check NAME…` those of these names, and
// `npm test` all of them before the tests.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './setup/progress.mjs'

const program = (...parts) => path.join(root, 'node_modules', ...parts)
const types = (project) => [program('typescript', 'bin', 'tsc'), '--noEmit', '-p', project]

/** Node's arguments by the name of the check. */
export const checks = {
  types: types('tsconfig.json'),
  'types:page': types('packages/web/tsconfig.json'),
  'types:page-build': types('packages/web/tsconfig.node.json'),
  'types:e2e': types('tests/e2e'),
  lint: [
    // The types of all packages at once need more than Node's 4 GB.
    '--max-old-space-size=8192',
    program('eslint', 'bin', 'eslint.js'),
    '--cache',
    '--cache-location',
    '.cache/eslint',
    '--max-warnings',
    '0',
    '.',
  ],
  format: [program('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level', 'warn', '.'],
  'first-load': ['packages/web/scripts/size.mjs'],
}

/** Runs the checks of these names, each to its end, and reports them. Returns how many failed. */
export function runChecks(names = Object.keys(checks)) {
  const failed = names.filter((name) => {
    const started = Date.now()
    const { status } = spawnSync(process.execPath, checks[name], { cwd: root, stdio: 'inherit' })
    console.log(`${status === 0 ? '✓' : '✗'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
    return status !== 0
  })
  return failed.length
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2)
  const unknown = names.filter((name) => !Object.hasOwn(checks, name))
  if (unknown.length > 0) {
    console.error(`No check is called ${unknown.join(', ')}. The checks: ${Object.keys(checks).join(', ')}.`)
    process.exit(2)
  }
  process.exitCode = runChecks(names.length > 0 ? names : undefined) === 0 ? 0 : 1
}
