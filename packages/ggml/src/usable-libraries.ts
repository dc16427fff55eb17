import { findLibraries, librariesVersion, type Libraries } from './libraries.ts'

/** The folder of llama.cpp's libraries, or why they can't be used here. */
export interface UsableLibraries {
  readonly folder: string | undefined
  /** A part of a sentence. */
  readonly reason?: string | undefined
}

/** Looks for the libraries in the version whose functions are known. Loads nothing. */
export function usableLibraries(find: () => Libraries | undefined = findLibraries): UsableLibraries {
  let found: Libraries | undefined
  try {
    found = find()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { folder: undefined, reason: `llama.cpp's libraries can't be read: ${reason}` }
  }
  if (!found)
    return {
      folder: undefined,
      reason: `llama.cpp's libraries are not installed for ${process.platform} on ${process.arch}`,
    }
  if (found.version !== librariesVersion)
    return {
      folder: undefined,
      reason: `llama.cpp's libraries have the version ${found.version}, not ${librariesVersion}`,
    }
  return { folder: found.folder }
}
