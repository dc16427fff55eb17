/**
 * Finds llama.cpp's libraries on this machine, without loading native code. What calls them is `@petals-chat/ggml/native`,
 * which belongs into a child process: native code can end its process at any moment.
 *
 * @packageDocumentation
 */
export { ggmlTypes } from './ggml-types.ts'
export { readCpuFeatures } from './cpu-features.ts'
export { findCpuLibrary } from './library-files.ts'
export {
  findLibraries,
  libraryPackage,
  librariesVersion,
  type FindLibrariesOptions,
  type GpuName,
  type Libraries,
  type System,
} from './libraries.ts'
export { usableLibraries, type UsableLibraries } from './usable-libraries.ts'
