import path from 'node:path'
import { readBounded, TooLongError } from '../read-bounded.ts'
import { ConfigError, type Origin } from './problem.ts'

export const configFileName = 'petals-chat.yaml'

/** Enough for a thousand models. A longer one would take the parser minutes. */
const MAX_BYTES = 256 * 1024

export interface ConfigFile {
  readonly path: string
  /** For messages: as the user gave it, or relative to the working directory. */
  readonly name: string
  readonly text: string
}

export interface FindOptions {
  readonly workingDirectory: string
  /** A requested file, and what requested it. Absent: petals-chat.yaml of the working directory, if it exists. */
  readonly requested?: { readonly file: string; readonly origin: Origin } | undefined
}

/** Reads the configuration file. @throws ConfigError if a requested file can't be read */
export async function findConfigFile({
  workingDirectory,
  requested,
}: FindOptions): Promise<ConfigFile | undefined> {
  const name = requested?.file ?? configFileName
  const file = path.resolve(workingDirectory, name)
  try {
    const bytes = await readBounded(file, MAX_BYTES)
    return { path: file, name, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' && requested === undefined) return undefined
    const origin = requested?.origin ?? { kind: 'file', file: name, line: 1, column: 1 }
    const message =
      error instanceof TooLongError
        ? `${file} is no configuration: it has more than ${MAX_BYTES / 1024} kB.`
        : describeReadError(file, code)
    throw new ConfigError([{ origin, path: [], message }])
  }
}

function describeReadError(file: string, code: unknown): string {
  switch (code) {
    case 'ENOENT':
      return `there is no file ${file}.`
    case 'EISDIR':
      return `${file} is a folder; name the file in it, for example ${path.join(file, configFileName)}.`
    case 'EACCES':
    case 'EPERM':
      return `${file} may not be read by this user.`
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return `${file} is not UTF-8 text. Save it as UTF-8.`
    default:
      return `${file} can't be read (${String(code)}).`
  }
}
