// What the product consists of, for a release: `npm run sbom` writes a bill of materials (CycloneDX, by npm itself) and the
// list of licences into .cache/packages.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { npmCommand } from '../setup/npm-packages.mjs'
import { root, step } from '../setup/progress.mjs'
import { productPackages } from './lockfile.mjs'

const product = 'petals-chat'
const readJson = async (file) => JSON.parse(await readFile(path.join(root, file), 'utf8'))

/**
 * Returns the bill of materials of the installed product, from package-lock.json. npm 11's own `--omit=dev` also leaves
 * out what the product and its development share, so we choose by the lockfile's marks.
 */
export async function billOfMaterials() {
  // npm names the root after its folder.
  const parent = await mkdtemp(path.join(tmpdir(), 'petals-chat-sbom-'))
  const folder = path.join(parent, product)
  try {
    await mkdir(folder)
    await copyManifests(folder)
    const npm = npmCommand()
    const args = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx']
    const { stdout } = await promisify(execFile)(npm.command, [...npm.args, ...args], {
      cwd: folder,
      maxBuffer: 2 ** 26,
    })
    return ofProduct(JSON.parse(stdout))
  } finally {
    await rm(parent, { recursive: true, force: true })
  }
}

function ofProduct(bill) {
  const ids = new Set(productPackages().map(({ id }) => id))
  const isOurs = ({ purl }) => /^pkg:npm\/(%40petals-chat\/|petals-chat@)/.test(purl)
  const components = bill.components.filter((each) => isOurs(each) || ids.has(`${each.name}@${each.version}`))
  const kept = new Set([bill.metadata.component, ...components].map((each) => each['bom-ref']))
  const dependencies = bill.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map((each) => ({ ...each, dependsOn: each.dependsOn?.filter((ref) => kept.has(ref)) }))
  return { ...bill, components, dependencies }
}

/** npm names the root by its version, which a private workspace has none of. */
async function copyManifests(folder) {
  const manifest = await readJson('package.json')
  const { version } = await readJson('packages/cli/package.json')
  // The Node of a checkout is no part of what is published.
  const kept = { ...manifest, optionalDependencies: {}, devDependencies: {} }
  const lock = await readJson('package-lock.json')
  lock.packages[''] = { ...lock.packages[''], version, optionalDependencies: {}, devDependencies: {} }
  await writeFile(path.join(folder, 'package.json'), JSON.stringify({ ...kept, version }))
  await writeFile(path.join(folder, 'package-lock.json'), JSON.stringify({ ...lock, version }))
  for (const workspace of manifest.workspaces) {
    await mkdir(path.join(folder, workspace), { recursive: true })
    await cp(path.join(root, workspace, 'package.json'), path.join(folder, workspace, 'package.json'))
  }
}

/** Returns the licences of the product's packages as a Markdown table. */
export function licenceList(packages = productPackages()) {
  const lines = new Set(packages.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`))
  return ['| package | version | licence |', '| --- | --- | --- |', ...[...lines].sort(), ''].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = path.join(root, '.cache', 'packages')
  const { version } = await readJson('packages/cli/package.json')
  await mkdir(folder, { recursive: true })
  const files = {
    [`${product}-${version}.cdx.json`]: `${JSON.stringify(await billOfMaterials(), undefined, 2)}\n`,
    [`${product}-${version}-licences.md`]: licenceList(),
  }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path.join(folder, name), text)
    step(`Written: ${path.join('.cache', 'packages', name)}`)
  }
}
