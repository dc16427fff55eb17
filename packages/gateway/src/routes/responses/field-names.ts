import { InvalidRequestError } from '@petals-chat/engine'
import type { ToolTable } from './tool-table.ts'

/** Names of a chat request's fields, and what the Responses API calls them. */
const names: readonly (readonly [RegExp, string])[] = [
  [/\bresponse_format\.json_schema\.schema\b/g, 'text.format.schema'],
  [/\bresponse_format\b/g, 'text.format'],
  [/(?<=')messages(?=')/g, 'input'],
  [/(?<=')max_tokens(?=')/g, 'max_output_tokens'],
]

function renamed(text: string, tools: ToolTable): string {
  const own = names.reduce((result, [name, other]) => result.replace(name, other), text)
  return own.replace(
    /\btools\[(\d+)\]\.function\.(\w+)/g,
    (_all, index: string, field: string) => `${tools.pathOf(Number(index))}.${field}`,
  )
}

/** Runs the check of a chat request. @throws its InvalidRequestError in the names of the Responses API. */
export async function inResponseNames<Result>(
  tools: ToolTable,
  check: () => Promise<Result>,
): Promise<Result> {
  try {
    return await check()
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error
    const { param, reason } = error
    throw new InvalidRequestError(renamed(error.message, tools), {
      param: param === undefined ? undefined : renamed(`'${param}'`, tools).slice(1, -1),
      reason,
      cause: error,
    })
  }
}
