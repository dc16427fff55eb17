import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { findLibraries, libraryPackage, librariesVersion } from './libraries.ts'
import { usableLibraries } from './usable-libraries.ts'

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
}
const manifestOf = (name: string): Manifest =>
  JSON.parse(readFileSync(new URL(`../../${name}/package.json`, import.meta.url), 'utf8')) as Manifest

const systems = [
  ['linux', 'x64', 'linux-x64'],
  ['linux', 'arm64', 'linux-arm64'],
  ['linux', 'arm', 'linux-armv7l'],
  ['linux', 'riscv64', 'linux-riscv64'],
  ['darwin', 'arm64', 'mac-arm64-metal'],
  ['darwin', 'x64', 'mac-x64'],
  ['win32', 'x64', 'win-x64'],
  ['win32', 'arm64', 'win-arm64'],
] as const

describe('the packages with libraries', () => {
  it.each(systems)('of %s on %s is %s, which this package installs', (platform, arch, name) => {
    expect(libraryPackage({ platform, arch })).toBe(`@node-llama-cpp/${name}`)
    expect(manifestOf('ggml').optionalDependencies).toHaveProperty([`@node-llama-cpp/${name}`])
  })

  it('for GPUs are others', () => {
    const linux = { platform: 'linux', arch: 'x64' } as const
    expect(libraryPackage(linux, 'vulkan')).toBe('@node-llama-cpp/linux-x64-vulkan')
    expect(libraryPackage(linux, 'cuda')).toBe('@node-llama-cpp/linux-x64-cuda')
  })

  it('are those of the CPU for every system that the local engine has, in the one version that is known here', () => {
    const { dependencies = {}, optionalDependencies: local } = manifestOf('llama')
    const ofCpu = Object.entries(local).filter(([name]) => !/vulkan|cuda/.test(name))
    expect(manifestOf('ggml').optionalDependencies).toEqual(Object.fromEntries(ofCpu))
    expect(new Set([...Object.values(local), dependencies['node-llama-cpp']])).toEqual(
      new Set([librariesVersion]),
    )
  })

  it('are found on this machine, in that version', () => {
    expect(findLibraries()?.version).toBe(librariesVersion)
  })
})

it('libraries of another version, and those that can not be read, are refused in words', () => {
  expect(usableLibraries(() => ({ folder: '/libraries', version: '1.0.0' }))).toEqual({
    folder: undefined,
    reason: expect.stringMatching(/the version 1\.0\.0, not \d/) as string,
  })
  const damaged = () => {
    throw new Error('no such folder')
  }
  expect(usableLibraries(damaged)).toEqual({
    folder: undefined,
    reason: "llama.cpp's libraries can't be read: no such folder",
  })
})
