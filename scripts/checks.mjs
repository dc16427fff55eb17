// The checks without tests, in one list: `npm run check` runs all of them, `npm run check NAME…` those of these names, and
// `npm test` all of them before the tests.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './setup/progress.mjs'

const program = (...parts) => path.join(root, 'node_modules', ...parts)
const types = (project) => [program('typescript', 'bin', 'tsc'), '--noEmit', '-p', project]

/** Node's arguments by the name of the check. */
export const checks = {
  // The longest one first: the others run beside it.
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
  types: types('tsconfig.json'),
  'types:page': types('packages/web/tsconfig.json'),
  'types:page-build': types('packages/web/tsconfig.node.json'),
  'types:e2e': types('tests/e2e'),
  format: [program('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level', 'warn', '.'],
  'first-load': ['packages/web/scripts/size.mjs'],
}

/** Runs one check to its end. What it prints is kept until then: others run beside it. */
async function runCheck(name) {
  console.log(`▸ ${name} …`)
  const started = Date.now()
  const child = spawn(process.execPath, checks[name], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const printed = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => printed.push(data))
  const ok = await new Promise((resolve) => {
    child.on('error', (error) => {
      printed.push(`${error.message}\n`)
      resolve(false)
    })
    child.on('close', (code) => resolve(code === 0))
  })
  for (const data of printed) process.stdout.write(data)
  console.log(`${ok ? '✓' : '✗'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  return ok
}

/** Runs the checks of these names, two at a time where the machine can, and reports them. Returns how many failed. */
export async function runChecks(names = Object.keys(checks)) {
  const waiting = [...names]
  let failed = 0
  const worker = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      if (!(await runCheck(name))) failed += 1
  }
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker))
  return failed
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2)
  const unknown = names.filter((name) => !Object.hasOwn(checks, name))
  if (unknown.length > 0) {
    console.error(`No check is called ${unknown.join(', ')}. The checks: ${Object.keys(checks).join(', ')}.`)
    process.exit(2)
  }
  process.exitCode = (await runChecks(names.length > 0 ? names : undefined)) === 0 ? 0 : 1
}
