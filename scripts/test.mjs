// What `npm test` runs after its set-up: types, lint, format, then every test. Its last line counts them.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { root } from './setup/progress.mjs'

const report = path.join(root, '.cache', 'test-report.json')
const bin = (...parts) => path.join(root, 'node_modules', ...parts)
const run = (args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0

const checks = [
  ['types', [bin('typescript', 'bin', 'tsc'), '--noEmit', '-p', 'tsconfig.json']],
  ['types of the page', [bin('typescript', 'bin', 'tsc'), '--noEmit', '-p', 'packages/web/tsconfig.json']],
  ['types of the whole-process tests', [bin('typescript', 'bin', 'tsc'), '--noEmit', '-p', 'tests/e2e']],
  [
    'lint',
    [
      bin('eslint', 'bin', 'eslint.js'),
      '--cache',
      '--cache-location',
      '.cache/eslint',
      '--max-warnings',
      '0',
      '.',
    ],
  ],
  ['size of the first load', ['packages/web/scripts/size.mjs']],
  ['format', [bin('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level', 'warn', '.']],
]

let passed = 0
let failed = 0
const count = (ok) => (ok ? passed++ : failed++)

for (const [name, args] of checks) {
  const started = Date.now()
  const ok = run(args)
  console.log(`${ok ? '✓' : '✗'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  count(ok)
}

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
