// All the set-up that `npm start` (mode `run`) and `npm test` (mode `test`) need, done once and skipped when nothing
// changed. With with-setup.mjs the only script that must run on an older Node (18 or newer): everything after it runs on
// the Node 24 that it installs. Needs no shell; works on Linux, macOS and Windows.
import { fileURLToPath } from 'node:url'
import { build } from './setup/build.mjs'
import { installChromium } from './setup/chromium.mjs'
import { installPackages, nodeExecutable } from './setup/npm-packages.mjs'
import { SetupError, elapsedSince, step } from './setup/progress.mjs'
import { installPythonEnvironments } from './setup/python.mjs'

/** Returns the Node to go on with. */
async function setUp(mode) {
  const started = Date.now()
  const installed = await installPackages()
  const node = await nodeExecutable()
  const built = await build(node)
  if (mode === 'test') {
    await installPythonEnvironments()
    await installChromium()
  }
  if (installed || built) step(`Set-up finished in ${elapsedSince(started)}.`)
  return node
}

/** As `setUp`; a failure is told in words and ends the process. */
export async function setUpOrExit(mode = 'run') {
  if (mode !== 'run' && mode !== 'test') {
    process.stderr.write(`Usage: node scripts/setup.mjs [run | test]. '${mode}' is neither.\n`)
    process.exit(2)
  }
  try {
    return await setUp(mode)
  } catch (error) {
    const message = error instanceof SetupError ? error.message : (error?.stack ?? String(error))
    process.stderr.write(`\nSet-up failed: ${message}\n`)
    process.exit(1)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setUpOrExit(process.argv[2])
