import { readdirSync } from 'node:fs'
import path from 'node:path'

/** The libraries of one build of llama.cpp that are used here, as full paths. */
export interface LibraryFiles {
  readonly folder: string
  /** The operations and the graph. */
  readonly base: string
  /** The registry of backends. */
  readonly registry: string
}

/** Names carry the variant and the version, as in `libggml.vulkan.v0.5.0.so`, and the system's own ending. */
const ending = String.raw`\.(so|dylib|dll)$`
const patterns = {
  base: new RegExp(`^(lib)?ggml-base(\\..*)?${ending}`),
  registry: new RegExp(`^(lib)?ggml(\\..*)?${ending}`),
}

/** Finds the libraries in the folder of a build. @throws Error that says what is missing */
export function findLibraryFiles(folder: string): LibraryFiles {
  const names = readdirSync(folder)
  const find = (what: keyof typeof patterns): string => {
    const name = names.find((each) => patterns[what].test(each))
    if (name === undefined)
      throw new Error(`The libraries of llama.cpp in ${folder} are incomplete (${what}). Run \`npm ci\`.`)
    return path.join(folder, name)
  }
  return { folder, base: find('base'), registry: find('registry') }
}

/** Finds the CPU kernels for a set of instructions, by llama.cpp's name for it; undefined if the build has none. */
export function findCpuLibrary(folder: string, variant: string): string | undefined {
  const pattern = new RegExp(`^(lib)?ggml-cpu-${variant}(\\..*)?${ending}`)
  const name = readdirSync(folder).find((each) => pattern.test(each))
  return name === undefined ? undefined : path.join(folder, name)
}
