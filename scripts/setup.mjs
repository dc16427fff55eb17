// All the set-up that `npm start` (mode `run`) and `npm test` (mode `test`) need, done once and skipped when nothing
// changed. The only script that must run on an older Node (18 or newer): everything after it runs on the Node 24 that
// it installs. Needs no shell; works on Linux, macOS and Windows.
import { build } from './setup/build.mjs'
import { installChromium } from './setup/chromium.mjs'
import { installPackages, nodeExecutable } from './setup/npm-packages.mjs'
import { SetupError, elapsedSince, step } from './setup/progress.mjs'
import { installPythonEnvironments } from './setup/python.mjs'

const mode = process.argv[2] ?? 'run'

async function setUp() {
  const started = Date.now()
  const installed = await installPackages()
  const node = await nodeExecutable()
  const built = await build(node)
  if (mode === 'test') {
    await installPythonEnvironments()
    await installChromium()
  }
  if (installed || built) step(`Set-up finished in ${elapsedSince(started)}.`)
}

if (mode !== 'run' && mode !== 'test') {
  process.stderr.write(`Usage: node scripts/setup.mjs [run | test]. '${mode}' is neither.\n`)
  process.exit(2)
}

try {
  await setUp()
} catch (error) {
  const message = error instanceof SetupError ? error.message : (error?.stack ?? String(error))
  process.stderr.write(`\nSet-up failed: ${message}\n`)
  process.exit(1)
}
