import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'

/** The content of a small JSON file, undefined if there is no such file. @throws ModelUnavailableError if it is not JSON */
export async function readJsonFile(
  files: ModelFiles,
  name: string,
  options?: AbortOptions,
): Promise<unknown> {
  const text = await files.text(name, options)
  return text === undefined ? undefined : parseJson(text, `${name} of ${files.description}`)
}

/** @throws ModelUnavailableError that names `what` */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new ModelUnavailableError(`${what} is not JSON. Fetch the file again.`, { cause })
  }
}
