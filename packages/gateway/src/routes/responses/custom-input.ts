/** The arguments of the function as which the model knows a custom tool. */
export const customArguments = (input: string): string => JSON.stringify({ input })

/** The text for a custom tool in the arguments that the model wrote; what is no such object is taken as it is. */
export function customInput(json: string): string {
  try {
    const value = JSON.parse(json) as { readonly input?: unknown } | null
    return typeof value?.input === 'string' ? value.input : json
  } catch {
    return json
  }
}
