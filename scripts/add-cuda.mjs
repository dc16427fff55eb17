// Adds the CUDA libraries of the local engine (`npm run add-cuda`). The default installation omits them: they take 540 MB and
// help only machines with an NVIDIA GPU. They are stored in .cache/cuda and linked into node_modules, so that running this
// again after `npm ci`, which removes the links, takes a second.
import { mkdir, readFile, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { SetupError, root, startProgress, step } from './setup/progress.mjs'
import { installPinned } from './supply-chain/pinned-install.mjs'

const cache = path.join(root, '.cache', 'cuda')
const scope = '@node-llama-cpp'

function packageNames() {
  const system = { linux: 'linux', win32: 'win' }[process.platform]
  if (system === undefined || process.arch !== 'x64') {
    const metal =
      process.platform === 'darwin' ? ' On a Mac nothing needs to be added: Metal is used automatically.' : ''
    throw new SetupError(
      `The CUDA libraries exist for Linux and Windows on x64 only; this machine is ${process.platform} on ${process.arch}.${metal}`,
    )
  }
  return [`${system}-x64-cuda`, `${system}-x64-cuda-ext`]
}

/** The version of node-llama-cpp (libraries of other versions would not load) and the hashes of its CUDA libraries. */
const { version, integrity } = JSON.parse(
  await readFile(path.join(root, 'scripts/supply-chain/cuda-packages.json'), 'utf8'),
)

async function isCached(name) {
  const manifest = path.join(cache, 'node_modules', scope, name, 'package.json')
  const text = await readFile(manifest, 'utf8').catch(() => undefined)
  return text !== undefined && JSON.parse(text).version === version
}

/** Without a hash that we know, only the registry's word would say what is installed: an administrator must want that. */
function pinned(names) {
  const packages = names
    .map((name) => `${scope}/${name}`)
    .map((name) => ({ name, version, integrity: integrity[name] }))
  const unknown = packages.filter((each) => each.integrity === undefined).map(({ name }) => name)
  if (unknown.length > 0 && !process.argv.includes('--unverified')) {
    throw new SetupError(
      `The hashes of ${unknown.join(' and ')} ${version} are not known, so a changed file would not be noticed. ` +
        'To trust the registry of npm instead, run `npm run add-cuda -- --unverified`.',
    )
  }
  return packages
}

async function download(names) {
  const packages = pinned(names)
  const finish = startProgress('Downloading the CUDA libraries (540 MB on the disk)')
  await installPinned(cache, packages)
  finish('finished')
}

/** Links a package into node_modules, on Windows by a junction because symbolic links need an administrator there. */
async function link(name) {
  const target = path.join(cache, 'node_modules', scope, name)
  const place = path.join(root, 'node_modules', scope, name)
  await mkdir(path.dirname(place), { recursive: true })
  await rm(place, { recursive: true, force: true })
  await symlink(target, place, process.platform === 'win32' ? 'junction' : 'dir')
}

try {
  const names = packageNames()
  const missing = await Promise.all(names.map(async (name) => !(await isCached(name))))
  if (missing.includes(true)) await download(names)
  for (const name of names) await link(name)
  step(
    `The CUDA libraries ${version} are added. The next start uses them automatically (gpu: auto); --gpu cuda requires them.`,
  )
  step(
    "They need NVIDIA's driver and the CUDA runtime (12 or 13); `npm start -- doctor` reports what is missing.",
  )
  step('To remove them, delete .cache/cuda and run `npm ci`.')
} catch (error) {
  const message = error instanceof SetupError ? error.message : (error?.stack ?? String(error))
  process.stderr.write(`\nThe CUDA libraries could not be added: ${message}\n`)
  process.exit(1)
}
