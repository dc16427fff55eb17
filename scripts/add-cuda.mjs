// Adds the CUDA libraries of the local engine (`npm run add-cuda`). The default installation omits them: they take 540 MB and
// help only machines with an NVIDIA GPU. They are stored in .cache/cuda and linked into node_modules, so that running this
// again after `npm ci`, which removes the links, takes a second.
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { npmCommand } from './setup/npm-packages.mjs'
import { SetupError, root, run, startProgress, step } from './setup/progress.mjs'

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

/** Returns the version of node-llama-cpp: libraries of other versions would not load. */
async function libraryVersion() {
  const manifest = JSON.parse(await readFile(path.join(root, 'packages/llama/package.json'), 'utf8'))
  return manifest.dependencies['node-llama-cpp']
}

async function isCached(name, version) {
  const manifest = path.join(cache, 'node_modules', scope, name, 'package.json')
  const text = await readFile(manifest, 'utf8').catch(() => undefined)
  return text !== undefined && JSON.parse(text).version === version
}

async function download(names, version) {
  await mkdir(cache, { recursive: true })
  await writeFile(path.join(cache, 'package.json'), '{ "private": true }\n')
  const finish = startProgress('Downloading the CUDA libraries (540 MB on the disk)')
  const npm = npmCommand()
  const packages = names.map((name) => `${scope}/${name}@${version}`)
  const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await run(npm.command, [...npm.args, 'install', '--prefix', cache, ...options, ...packages], { cwd: cache })
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
  const version = await libraryVersion()
  const missing = await Promise.all(names.map(async (name) => !(await isCached(name, version))))
  if (missing.includes(true)) await download(names, version)
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
