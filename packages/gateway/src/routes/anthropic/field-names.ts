import { InvalidRequestError } from '@petals-chat/engine'

/** Names of a chat request's fields, and what Anthropic's clients call them. */
const names: readonly (readonly [RegExp, string])[] = [
  [/\bfunction\.parameters\b/g, 'input_schema'],
  [/\bfunction\.name\b/g, 'name'],
  [/\bresponse_format(\.json_schema\.schema)?\b/g, 'output_config.format'],
]

const renamed = (text: string): string =>
  names.reduce((result, [name, own]) => result.replace(name, own), text)

/** Runs the check of a chat request. @throws its InvalidRequestError in the names of the Messages API. */
export async function inAnthropicNames<Result>(check: () => Promise<Result>): Promise<Result> {
  try {
    return await check()
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error
    const { param, reason } = error
    throw new InvalidRequestError(renamed(error.message), {
      param: param === undefined ? undefined : renamed(param),
      reason,
      cause: error,
    })
  }
}
