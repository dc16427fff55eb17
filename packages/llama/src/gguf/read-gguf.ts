import { open, type FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import { ModelUnavailableError, type AbortOptions } from '@petals-chat/engine'
import { GgufFormatError, MoreBytesNeeded } from './byte-reader.ts'
import { checkModel } from './check-model.ts'
import { describeModel, type GgufInfo } from './gguf-info.ts'
import { parseGgufHeader, type GgufHeader } from './gguf-header.ts'
import { checkParts } from './split-files.ts'

/** Contains the header of most models: a vocabulary of 50,000 tokens takes 2 MB, one of 250,000 about 16 MB. */
const FIRST_READ_BYTES = 4 * 1024 * 1024
/** Real headers are shorter; a file that claims a longer one is not read into memory. */
const MAX_HEADER_BYTES = 128 * 1024 * 1024

export interface GgufFile {
  readonly header: GgufHeader
  readonly info: GgufInfo
}

/**
 * Reads what a GGUF file says about its model. The header is checked first (counts, sizes, offsets within the file, and
 * whatever else llama.cpp does not check), so that a damaged or hostile file is refused before native code reads it.
 * @throws ModelUnavailableError that names the field at fault.
 */
export async function readGgufInfo(path: string, options: AbortOptions = {}): Promise<GgufInfo> {
  return (await readGguf(path, options)).info
}

/** Like `readGgufInfo`, but also returns the header. */
export async function readGguf(path: string, { signal }: AbortOptions = {}): Promise<GgufFile> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    const header = await readHeader(file, size, signal)
    checkModel(header)
    await checkParts(path, header, (part) => readPart(part, signal))
    return { header, info: describeModel(path, size, header) }
  } catch (error) {
    throw describeGgufError(path, error)
  }
}

async function readPart(path: string, signal: AbortSignal | undefined): Promise<GgufHeader> {
  await using file = await open(path)
  return await readHeader(file, (await file.stat()).size, signal)
}

async function readHeader(file: FileHandle, fileSize: number, signal?: AbortSignal): Promise<GgufHeader> {
  for (let wanted = FIRST_READ_BYTES; ;) {
    signal?.throwIfAborted()
    const length = Math.min(wanted, fileSize)
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, 0)
    try {
      return parseGgufHeader(buffer.subarray(0, bytesRead), fileSize)
    } catch (error) {
      if (!(error instanceof MoreBytesNeeded)) throw error
      if (error.length > MAX_HEADER_BYTES) {
        throw new GgufFormatError('the header', `is longer than ${MAX_HEADER_BYTES / 1024 / 1024} MiB`)
      }
      wanted = Math.min(Math.max(error.length, length * 4), MAX_HEADER_BYTES)
    }
  }
}

/** Turns a failure with a file into an error for the user; returns other errors unchanged. */
export function describeGgufError(path: string, error: unknown): unknown {
  if (error instanceof GgufFormatError) {
    return new ModelUnavailableError(
      `The model file ${basename(path)} can't be used: ${error.message}. Download it again, or use another file.`,
      { cause: error },
    )
  }
  if (error instanceof Error && 'syscall' in error && 'code' in error) {
    return new ModelUnavailableError(`The model file ${path} can't be read (${String(error.code)}).`, {
      cause: error,
    })
  }
  return error
}
