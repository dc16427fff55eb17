import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { libraryPackage, requireOf, type GpuName } from './backends.ts'

/** A build of llama.cpp that is installed. */
export interface LlamaLibraries {
  /** The folder with its shared libraries. */
  readonly folder: string
  /** The version of the package that contains them. */
  readonly version: string
}

/**
 * Finds the shared libraries of llama.cpp for this machine: those for the CPU, or the build for a kind of GPU, which computes
 * on the CPU too. Loads nothing.
 * @returns undefined if they are not installed
 */
export function findLlamaLibraries(gpu?: GpuName): LlamaLibraries | undefined {
  const name = libraryPackage(process, gpu)
  const places = requireOf('node-llama-cpp').resolve.paths(name) ?? []
  const place = places.map((each) => path.join(each, name)).find((each) => existsSync(each))
  if (place === undefined) return undefined
  const { version } = JSON.parse(readFileSync(path.join(place, 'package.json'), 'utf8')) as {
    readonly version: string
  }
  const [build] = readdirSync(path.join(place, 'bins'))
  return build === undefined ? undefined : { folder: path.join(place, 'bins', build), version }
}
