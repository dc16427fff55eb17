import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

/** The version of the packages with llama.cpp's libraries whose functions are called here: that of the package.json files. */
export const librariesVersion = '3.22.1'

export type GpuName = 'cuda' | 'vulkan' | 'metal'

/** A build of llama.cpp that is installed. */
export interface Libraries {
  /** The folder with its shared libraries. */
  readonly folder: string
  /** The version of the package that contains them. */
  readonly version: string
}

export interface FindLibrariesOptions {
  /** Finds the build for a kind of GPU, which computes on the CPU, too. Default: the build for the CPU. */
  readonly gpu?: GpuName | undefined
  /** Looks where the code of another package looks, before the places of this one. */
  readonly from?: NodeJS.Require | undefined
}

/** The system that a build is for, as `process.platform` and `process.arch` name it. */
export interface System {
  readonly platform: NodeJS.Platform
  readonly arch: string
}

/**
 * Finds the shared libraries of llama.cpp for this machine. Loads nothing.
 * @returns undefined if they are not installed
 */
export function findLibraries({ gpu, from }: FindLibrariesOptions = {}): Libraries | undefined {
  const name = libraryPackage(process, gpu)
  const own = createRequire(import.meta.url)
  const folders = [from, own].flatMap((require) => require?.resolve.paths(name) ?? [])
  const place = folders.map((each) => path.join(each, name)).find((each) => existsSync(each))
  if (place === undefined) return undefined
  const { version } = JSON.parse(readFileSync(path.join(place, 'package.json'), 'utf8')) as {
    readonly version: string
  }
  const [build] = readdirSync(path.join(place, 'bins'))
  return build === undefined ? undefined : { folder: path.join(place, 'bins', build), version }
}

/** Returns the name of the package with the libraries for the CPU, or for a kind of GPU. */
export function libraryPackage({ platform, arch }: System, gpu?: GpuName): string {
  const system = platform === 'darwin' ? 'mac' : platform === 'win32' ? 'win' : 'linux'
  // Apple's own processors have one build for both.
  const kind = gpu ?? (platform === 'darwin' && arch === 'arm64' ? 'metal' : undefined)
  const processor = kind === undefined && arch === 'arm' ? 'armv7l' : arch
  return `@node-llama-cpp/${[system, processor, kind].filter(Boolean).join('-')}`
}
