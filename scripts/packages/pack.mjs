// Packs the built packages as the registry gets them (`npm run pack`): one tarball each in .cache/packages.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { npmCommand } from '../setup/npm-packages.mjs'
import { root } from '../setup/progress.mjs'
import { bundleNodeLlamaCpp } from './bundle-node-llama-cpp.mjs'

const packages = path.join(root, '.cache', 'packages')

/** Folder names of all packages; the root manifest lists them in the order of their dependencies. */
export async function packageNames() {
  const { workspaces } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'))
  return workspaces.map((folder) => path.basename(folder))
}

/**
 * Packs all packages, which must be built. Returns `{ file, files }` by folder name: the tarball's path, and the paths
 * in it.
 */
export async function packAll(destination = packages) {
  await rm(destination, { recursive: true, force: true })
  const staged = path.join(destination, 'staged', 'llama')
  await mkdir(staged, { recursive: true })
  await stage(path.join(root, 'packages', 'llama'), staged)
  await bundleNodeLlamaCpp(staged)

  const names = await packageNames()
  const folders = names.map((name) => (name === 'llama' ? staged : path.join(root, 'packages', name)))
  const reports = await npmPack([...folders, '--pack-destination', destination])
  await rm(path.dirname(staged), { recursive: true })
  return Object.fromEntries(
    names.map((name, index) => {
      const { filename, files } = reports[index]
      return [name, { file: path.join(destination, filename), files: files.map((file) => file.path) }]
    }),
  )
}

/** Copies what npm would pack. */
async function stage(source, target) {
  const [{ files }] = await npmPack([source, '--dry-run'])
  for (const file of files) await cp(path.join(source, file.path), path.join(target, file.path))
}

async function npmPack(args) {
  const npm = npmCommand()
  const command = [...npm.args, 'pack', '--json', '--ignore-scripts', ...args]
  const { stdout } = await promisify(execFile)(npm.command, command, { cwd: root, maxBuffer: 2 ** 26 })
  return JSON.parse(stdout)
}

/** Compiled files whose source is gone: TypeScript does not delete what it built earlier. */
const staleFiles = (name, files) =>
  files
    .filter((file) => /^dist\/.*\.js$/.test(file))
    .filter((file) => {
      const source = path.join(root, 'packages', name, file.replace('dist/', 'src/').replace(/\.js$/, '.ts'))
      return !existsSync(source)
    })

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const tarballs = Object.entries(await packAll())
  const stale = tarballs.flatMap(([name, { files }]) => (name === 'web' ? [] : staleFiles(name, files)))
  if (stale.length > 0) {
    console.error(`Delete packages/*/dist and pack again: these files have no source.\n${stale.join('\n')}`)
    process.exit(1)
  }
  for (const [, { file }] of tarballs) console.log(path.relative(root, file))
}
