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

/** Parses JSON. @throws ModelUnavailableError that names `what` */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new ModelUnavailableError(`${what} is not JSON. Download the file again.`, { cause })
  }
}
