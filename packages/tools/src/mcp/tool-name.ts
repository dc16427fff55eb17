import { createHash } from 'node:crypto'

/** The names that OpenAI's API takes for functions. */
const MAX_LENGTH = 64
const HASH_LENGTH = 8

/**
 * The name under which models call a tool: that of its server, which has no underscore, two of them, and its own. A name that
 * is too long or has other characters ends in a hash of the whole, so that each tool keeps its name whatever else is listed.
 */
export function toolName(server: string, ownName: string): string {
  const plain = `${server}__${ownName}`
  if (/^[\w-]{1,64}$/.test(plain)) return plain
  const hash = createHash('sha256').update(ownName).digest('hex').slice(0, HASH_LENGTH)
  return `${plain.replace(/[^\w-]+/g, '_').slice(0, MAX_LENGTH - HASH_LENGTH - 1)}_${hash}`
}

/** The server of a name that `toolName` has made; undefined if it has made none. */
export const serverOf = (name: string): string | undefined => /^([a-z0-9-]+)__/.exec(name)?.[1]
