import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { testsOf } from '../support/incident.ts'
import { supplyIncidents } from './supply.incidents.ts'

const incident = testsOf(supplyIncidents)
const root = fileURLToPath(new URL('../../..', import.meta.url))
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')

interface Manifest {
  readonly name?: string
  readonly scripts?: Readonly<Record<string, string>>
  readonly publishConfig?: { readonly provenance?: boolean }
  readonly [dependencies: string]: unknown
}
const manifests = ['package.json', ...globSync('packages/*/package.json', { cwd: root })].map(
  (file) => JSON.parse(read(file)) as Manifest,
)

interface Locked {
  readonly dev?: boolean
  readonly link?: boolean
  readonly integrity?: string
  readonly hasInstallScript?: boolean
}
const lock = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, Locked>> }
/** What users get, by the last name of its folder. */
const product = Object.entries(lock.packages)
  .filter(([place, { dev }]) => place.includes('node_modules/') && !dev)
  .map(([place]) => place.split('node_modules/').at(-1)!)

incident('LiteLLM 1.82.7', async () => {
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies']
  const ranges = manifests.flatMap((manifest) =>
    kinds.flatMap((kind) => Object.entries((manifest[kind] ?? {}) as Record<string, string>)),
  )
  expect(ranges.length).toBeGreaterThan(50)
  expect(ranges.filter(([, range]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(range))).toEqual([])
  const requirements = globSync(['tests/e2e/*.txt', 'swarm/*.txt', 'packages/contribute/python/*.txt'], {
    cwd: root,
  })
  expect(requirements.length).toBeGreaterThan(0)
  for (const file of requirements) {
    const lines = read(file)
      .split('\n')
      .filter((line) => /^\w/.test(line))
    expect(
      lines.filter((line) => !/^[\w.[\]-]+(==| @ )\S+/.test(line)),
      file,
    ).toEqual([])
  }
})

incident('axios 1.14.1', async () => {
  expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m)
  const hooks = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish']
  const own = manifests.flatMap(({ name, scripts = {} }) =>
    hooks.filter((hook) => hook in scripts).map((hook) => `${name} ${hook}`),
  )
  expect(own).toEqual([])
  // Known by name, because each was looked at: a new one is refused here.
  const policy = JSON.parse(read('scripts/supply-chain/policy.json')) as { readonly installScripts: object }
  const known = Object.keys(policy.installScripts)
  const others = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript)
  expect(
    others.map(([place]) => place.split('node_modules/').at(-1)).filter((name) => !known.includes(name!)),
  ).toEqual([])
})

incident('Shai-Hulud', async () => {
  const without = Object.entries(lock.packages)
    .filter(([place, { link, integrity }]) => place.includes('node_modules/') && !link && !integrity)
    .map(([place]) => place.split('node_modules/').at(-1)!)
  // The registry of this lockfile gave no hash for these platforms.
  expect(without.filter((name) => !/^(@node-llama-cpp|@reflink|@rollup|@esbuild)\//.test(name))).toEqual([])
  const published = manifests.filter(({ name }) => name !== 'petals-chat-workspace')
  expect(
    published.filter(({ publishConfig, private: isPrivate }) => !isPrivate && !publishConfig?.provenance),
  ).toEqual([])
})

incident('CVE-2026-44291', async () => {
  expect(product.filter((name) => /^(protobufjs|google-protobuf|protons|pbjs)$/.test(name))).toEqual([])
})

incident('CVE-2024-29415', async () => {
  expect(product.filter((name) => /^(ip|private-ip|is-ip-private)$/.test(name))).toEqual([])
})
