import { dirname, join } from 'node:path'
import { GgufFormatError } from './byte-reader.ts'
import type { GgufHeader } from './gguf-header.ts'

const FIRST_PART = /^(?<stem>.+)-00001-of-(?<count>\d{5})\.gguf$/
const MAX_PARTS = 512

/**
 * Checks the other files of a model in several files: llama.cpp opens them itself.
 * @throws GgufFormatError if `path` is not the first file, or if one is damaged or missing.
 */
export async function checkParts(
  path: string,
  header: GgufHeader,
  readHeader: (path: string) => Promise<GgufHeader>,
): Promise<void> {
  for (const [index, part] of partPaths(path, header).entries()) {
    const field = `part ${index + 2}`
    const { metadata } = await readHeader(part).catch((cause: unknown) => {
      throw new GgufFormatError(field, `(${part}) ${reason(cause)}`)
    })
    if (metadata.get('split.no') !== index + 1)
      throw new GgufFormatError(field, `(${part}) has the number of another part (split.no)`)
  }
}

/** Returns the paths of the second part and those after it; none if the model is in one file. */
function partPaths(path: string, { metadata }: GgufHeader): string[] {
  const count = metadata.get('split.count') ?? 1
  if (typeof count !== 'number' || count > MAX_PARTS)
    throw new GgufFormatError('split.count', 'is not a valid number')
  if (count <= 1) return []
  const name = FIRST_PART.exec(path.slice(dirname(path).length).replace(/^[/\\]/, ''))?.groups
  if (metadata.get('split.no') !== 0 || Number(name?.count) !== count) {
    throw new GgufFormatError(
      'split.no',
      `says that this is not the first of ${count} parts (…-00001-of-….gguf)`,
    )
  }
  const total = String(count).padStart(5, '0')
  return Array.from({ length: count - 1 }, (_, index) =>
    join(dirname(path), `${name?.stem}-${String(index + 2).padStart(5, '0')}-of-${total}.gguf`),
  )
}

function reason(cause: unknown): string {
  if (cause instanceof GgufFormatError) return `is damaged: ${cause.message}`
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' ? 'is missing' : "can't be read"
}
