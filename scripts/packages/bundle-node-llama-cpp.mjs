// node-llama-cpp names its CUDA binaries (540 MB) as optional dependencies: everyone who installs it gets them, and only
// the root of an installation may override that. So the tarball of packages/llama carries node-llama-cpp without them
// (docs/decisions/2026-11-28-published-packages.md).
import { cp, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { root } from '../setup/progress.mjs'

const source = path.join(root, 'node_modules', 'node-llama-cpp')

/** Dependencies come from the registry; llama.cpp's sources (35 MB) serve only those who compile it. */
const leftOut = ['node_modules', path.join('llama', 'gitRelease.bundle')]

const readManifest = async (folder) => JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'))
const writeManifest = (folder, manifest) =>
  writeFile(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)

/** Puts node-llama-cpp into a staged copy of packages/llama, and its dependencies into that package's manifest. */
export async function bundleNodeLlamaCpp(staged) {
  const target = path.join(staged, 'node_modules', 'node-llama-cpp')
  await cp(source, target, {
    recursive: true,
    filter: (file) => !leftOut.includes(path.relative(source, file)),
  })
  const bundled = await readManifest(target)
  const { dependencies, ...manifest } = await readManifest(staged)
  await writeManifest(staged, {
    ...manifest,
    dependencies: { ...bundled.dependencies, ...dependencies },
    bundleDependencies: ['node-llama-cpp'],
  })
  // Without these npm has nothing to add to the bundled copy, and no script to run for it.
  for (const key of [
    'dependencies',
    'optionalDependencies',
    'peerDependencies',
    'devDependencies',
    'scripts',
  ])
    delete bundled[key]
  await writeManifest(target, bundled)
}
