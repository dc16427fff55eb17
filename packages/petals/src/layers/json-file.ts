import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'

/** Reads a small JSON file; returns undefined if it does not exist. @throws ModelUnavailableError if it is not JSON */
export async function readJsonFile(
  files: ModelFiles,
  name: string,
  options?: AbortOptions,
): Promise<unknown> {
  const text = await files.text(name, options)
  return text === undefined ? undefined : parseJson(text, `${name} of ${files.description}`)
}

/**
 * Limits of a file's JSON, because parsed values take up to 50 times as much memory as their text. A tokenizer.json with merges
 * as pairs has 280,000 lists.
 */
const MAX_CONTAINERS = 2_000_000
const MAX_DEPTH = 100
/** Shorter texts can't take much memory, whatever they contain. */
const ALWAYS_PARSED_LENGTH = 256 * 1024

/** Parses JSON. @throws ModelUnavailableError that names `what` */
export function parseJson(text: string, what: string): unknown {
  if (text.length > ALWAYS_PARSED_LENGTH) checkNesting(text, what)
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new ModelUnavailableError(`${what} is not JSON. Download the file again.`, { cause })
  }
}

const [quote, backslash] = ['"', '\\'].map((sign) => sign.charCodeAt(0))
const [openList, closeList, openObject, closeObject] = ['[', ']', '{', '}'].map((sign) => sign.charCodeAt(0))

/** Counts lists and objects before any of them is created. @throws ModelUnavailableError */
function checkNesting(text: string, what: string): void {
  let containers = 0
  let depth = 0
  let isInString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (isInString) {
      if (code === backslash) index++
      else if (code === quote) isInString = false
    } else if (code === quote) isInString = true
    else if (code === openList || code === openObject) {
      if (++containers > MAX_CONTAINERS || ++depth > MAX_DEPTH)
        throw new ModelUnavailableError(
          `${what} has more than ${MAX_CONTAINERS} lists and objects, or nests them more than ${MAX_DEPTH} deep, so it is not used.`,
        )
    } else if (code === closeList || code === closeObject) depth--
  }
}
