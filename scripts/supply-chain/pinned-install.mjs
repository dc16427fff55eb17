// Installs packages that package-lock.json does not have, pinned by hash just the same.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { npmCommand } from '../setup/npm-packages.mjs'
import { run } from '../setup/progress.mjs'

/**
 * Installs exactly these packages (`{ name, version, integrity }`) into `folder/node_modules`, without their scripts.
 * npm compares each tarball with its hash. A package without `integrity` is taken as the registry has it.
 * @throws SetupError with npm's EINTEGRITY if a tarball differs
 */
export async function installPinned(folder, packages, { env } = {}) {
  await mkdir(folder, { recursive: true })
  const dependencies = Object.fromEntries(packages.map(({ name, version }) => [name, version]))
  const manifest = { name: 'pinned', version: '0.0.0', private: true, dependencies }
  const entries = packages.map(({ name, version, integrity }) => [
    `node_modules/${name}`,
    { version, ...(integrity && { integrity }) },
  ])
  const lock = {
    name: manifest.name,
    version: manifest.version,
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': { name: manifest.name, version: manifest.version, dependencies },
      ...Object.fromEntries(entries),
    },
  }
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest))
  await writeFile(path.join(folder, 'package-lock.json'), JSON.stringify(lock))
  const npm = npmCommand()
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await run(npm.command, [...npm.args, 'ci', ...options], { cwd: folder, env })
}
