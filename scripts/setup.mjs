// The set-up for the commands of package.json (`npm start`, `npm test`, `npm run demo` …); each command names its mode. It runs
// once and is skipped while nothing has changed. Only this script and with-setup.mjs must run on an older Node (18 or newer):
// everything else runs on the Node 24 that this script installs. It uses no shell and works on Linux, macOS and Windows.
import { fileURLToPath } from 'node:url'
import { build } from './setup/build.mjs'
import { installCaddy } from './setup/caddy.mjs'
import { installChromium } from './setup/chromium.mjs'
import { installNginx } from './setup/nginx.mjs'
import { nodeExecutable } from './setup/node-versions.mjs'
import { installPackages } from './setup/npm-packages.mjs'
import { SetupError, elapsedSince, step } from './setup/progress.mjs'
import { planPythonEnvironment } from './setup/python.mjs'
import { installStrace } from './setup/strace.mjs'
import { installSystemdAnalyze } from './setup/systemd.mjs'
import { installValkey } from './setup/valkey.mjs'

/** What each mode sets up besides the npm packages and their build. */
const modes = {
  /** The product. */
  run: { python: [], programs: [] },
  /** Petals' Python servers on this machine: `npm run swarm`, tests and benchmarks of the swarm engine. */
  swarm: { python: ['swarm'], programs: [] },
  /** Everything that a test needs. */
  test: {
    python: ['clients', 'swarm'],
    programs: [
      installChromium,
      installNginx,
      installStrace,
      installValkey,
      installCaddy,
      installSystemdAnalyze,
    ],
  },
}

/** Sets everything up. Returns the path of the Node that runs everything else. */
async function setUp({ python, programs }) {
  const started = Date.now()
  const makers = []
  for (const name of python) makers.push(await planPythonEnvironment(name))
  const installed = await installPackages()
  const node = await nodeExecutable()
  const built = await build(node)
  for (const make of makers) await make?.()
  for (const install of programs) await install()
  if (installed || built) step(`Set-up finished in ${elapsedSince(started)}.`)
  return node
}

/** Like `setUp`, but prints a failure and ends the process. */
export async function setUpOrExit(mode = 'run') {
  if (!Object.hasOwn(modes, mode)) {
    process.stderr.write(
      `Usage: node scripts/setup.mjs [${Object.keys(modes).join(' | ')}]. '${mode}' is not a mode.\n`,
    )
    process.exit(2)
  }
  try {
    return await setUp(modes[mode])
  } catch (error) {
    const message = error instanceof SetupError ? error.message : (error?.stack ?? String(error))
    process.stderr.write(`\nSet-up failed: ${message}\n`)
    process.exit(1)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setUpOrExit(process.argv[2])
