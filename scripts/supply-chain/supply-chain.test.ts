import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startFakeRegistry } from './fixtures/fake-registry.ts'

interface Locked {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly integrity?: string
}
interface Advisory {
  readonly id: string
  readonly package: string
  readonly vulnerable: string
}
interface Component {
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly hashes?: readonly { readonly content: string }[]
  readonly licenses?: readonly object[]
}

const load = (name: string): Promise<unknown> => import(new URL(name, import.meta.url).href)
const { lockedPackages, productPackages } = (await load('./lockfile.mjs')) as {
  lockedPackages: () => readonly Locked[]
  productPackages: () => readonly Locked[]
}
const { affected, fromOsv, merge, readAdvisories } = (await load('./advisories.mjs')) as {
  affected: (packages: readonly Locked[], advisories?: readonly Advisory[]) => readonly string[]
  fromOsv: (advisory: object, names: ReadonlySet<string>) => readonly Advisory[]
  merge: (known: readonly Advisory[], found: readonly Advisory[]) => readonly Advisory[]
  readAdvisories: () => readonly Advisory[]
}
const { installPinned } = (await load('./pinned-install.mjs')) as {
  installPinned: (folder: string, packages: readonly object[], options?: object) => Promise<void>
}
const { billOfMaterials, licenceList } = (await load('./sbom.mjs')) as {
  billOfMaterials: () => Promise<{
    readonly bomFormat: string
    readonly specVersion: string
    readonly components: readonly Component[]
  }>
  licenceList: () => string
}
const root = fileURLToPath(new URL('../..', import.meta.url))

let folder: string
beforeEach(async () => (folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-supply-'))))
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('the advisories', () => {
  const old = { id: 'ws@8.17.0', name: 'ws', version: '8.17.0' }

  it('concern no locked package', () => {
    expect(affected(lockedPackages())).toEqual([])
  })

  it('are found without a network', () => {
    expect(affected([old])).toEqual([expect.stringContaining('GHSA-3h5v-q93c-6h6q')])
    expect(affected([{ ...old, version: '8.17.1' }])).toEqual([])
    expect(affected([{ ...old, version: '8.17.1-beta.1' }])).toHaveLength(1)
    for (const { package: name } of readAdvisories())
      expect(lockedPackages().map((each) => each.name)).toContain(name)
  })

  it('are read from the format of OSV', () => {
    const advisory = {
      id: 'GHSA-aaaa-bbbb-cccc',
      affected: [
        {
          package: { ecosystem: 'npm', name: 'ws' },
          ranges: [
            { type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '1.2.0' }] },
            { type: 'SEMVER', events: [{ introduced: '8.0.0' }, { last_affected: '8.30.0' }] },
          ],
        },
        { package: { ecosystem: 'npm', name: 'other' }, ranges: [] },
        { package: { ecosystem: 'PyPI', name: 'ws' }, versions: ['1.0.0'] },
      ],
    }
    const found = fromOsv(advisory, new Set(['ws']))
    expect(found).toEqual([{ id: advisory.id, package: 'ws', vulnerable: '<1.2.0 || >=8.0.0 <=8.30.0' }])
    expect(fromOsv({ ...advisory, withdrawn: '2026-01-01' }, new Set(['ws']))).toEqual([])
    expect(affected([old], merge(readAdvisories(), found))).toHaveLength(2)
    expect(merge(found, found)).toEqual(found)
  })
})

describe('packages outside the lockfile', () => {
  it('are installed only if their hash is right', async () => {
    await using registry = await startFakeRegistry('binary', { '1.0.0': 30 })
    const env = { npm_config_registry: registry.url, npm_config_cache: path.join(folder, 'cache') }
    const pinned = { name: 'binary', version: '1.0.0', integrity: registry.integrity['1.0.0'] }
    const installed = path.join(folder, 'node_modules', 'binary', 'package.json')
    await installPinned(folder, [pinned], { env })
    expect(JSON.parse(await readFile(installed, 'utf8'))).toEqual({ name: 'binary', version: '1.0.0' })

    const other = { ...pinned, integrity: `sha512-${'A'.repeat(86)}==` }
    await expect(installPinned(path.join(folder, 'other'), [other], { env })).rejects.toThrow('EINTEGRITY')
  })

  it('are the CUDA libraries of the node-llama-cpp that we pin', async () => {
    const read = async (file: string): Promise<unknown> =>
      JSON.parse(await readFile(path.join(root, file), 'utf8'))
    const cuda = (await read('scripts/supply-chain/cuda-packages.json')) as {
      readonly version: string
      readonly integrity: Readonly<Record<string, string>>
    }
    const llama = (await read('packages/llama/package.json')) as {
      readonly dependencies: Readonly<Record<string, string>>
    }
    expect(cuda.version).toBe(llama.dependencies['node-llama-cpp'])
    for (const name of ['linux-x64-cuda', 'linux-x64-cuda-ext'])
      expect(cuda.integrity[`@node-llama-cpp/${name}`]).toMatch(/^sha512-.{86}==$/)
  })
})

it('an update takes no version of the last week', async () => {
  await using registry = await startFakeRegistry('young', { '1.0.0': 400, '1.1.0': 8, '1.2.0': 6 })
  await writeFile(path.join(folder, 'package.json'), '{ "private": true }')
  const script = fileURLToPath(new URL('./update.mjs', import.meta.url))
  await promisify(execFile)(process.execPath, [script, 'young'], {
    cwd: folder,
    env: { ...process.env, npm_config_registry: registry.url, npm_config_cache: path.join(folder, 'cache') },
  })
  const { dependencies } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies: object
  }
  expect(dependencies).toEqual({ young: '1.1.0' })
})

describe('a release', () => {
  it('has a bill of materials with every package of the product, and its hash', async () => {
    const bill = await billOfMaterials()
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' })
    const theirs = bill.components.filter(({ purl }) => !/%40petals-chat|npm\/petals-chat@/.test(purl))
    const ids = new Set(productPackages().map(({ id }) => id))
    expect(new Set(theirs.map(({ name, version }) => `${name}@${version}`))).toEqual(ids)
    const hashes = new Map(productPackages().map(({ id, integrity }) => [id, integrity]))
    for (const { name, version, hashes: [hash] = [], licenses } of theirs) {
      const integrity = hashes.get(`${name}@${version}`)
      const expected = integrity && Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex')
      expect(hash?.content, name).toBe(expected)
      expect(licenses, name).toHaveLength(1)
    }
  })

  it('has a list of licences with every package of the product', () => {
    const list = licenceList()
    for (const { name, version } of productPackages()) expect(list).toContain(`| ${name} | ${version} | `)
    expect(list).toContain('| hono | ')
    expect(list).not.toContain('undefined')
  })
})
