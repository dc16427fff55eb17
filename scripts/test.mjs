// What `npm test` runs after its set-up: the checks of checks.mjs, then every test. Its last line counts them.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { checks, runChecks } from './checks.mjs'
import { root } from './setup/progress.mjs'

const report = path.join(root, '.cache', 'test-report.json')
const bin = (...parts) => path.join(root, 'node_modules', ...parts)
const run = (args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0

const failedChecks = await runChecks()
let passed = Object.keys(checks).length - failedChecks
let failed = failedChecks

mkdirSync(path.dirname(report), { recursive: true })
rmSync(report, { force: true })
const vitest = bin('vitest', 'vitest.mjs')
const ok = run([
  vitest,
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
])
try {
  const results = JSON.parse(readFileSync(report, 'utf8'))
  passed += results.numPassedTests
  failed += results.numFailedTests
  const skipped = results.numPendingTests + (results.numTodoTests ?? 0)
  if (skipped > 0) {
    console.log(`${skipped} tests were skipped; nothing may be skipped.`)
    failed += skipped
  }
  // A file that could not even be loaded has no tests to count.
  if (!ok && results.numFailedTests === 0) failed += 1
} catch {
  console.log('Vitest left no report.')
  failed += 1
}

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
