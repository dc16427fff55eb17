import { InvalidRequestError } from '@petals-chat/engine'

/** Names of a chat request's fields, and what the clients of another API call them. */
export type FieldNames = readonly (readonly [RegExp, string])[]

/** Runs the check of a request. @throws its InvalidRequestError in the names of the API that the client speaks. */
export async function inNames<Result>(names: FieldNames, check: () => Promise<Result>): Promise<Result> {
  const renamed = (text: string): string =>
    names.reduce((result, [name, own]) => result.replace(name, own), text)
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
