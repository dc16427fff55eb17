import type { AbortOptions, ToolBox } from '@petals-chat/engine'

/** What became of a call. */
export interface CallResult {
  readonly text: string
  readonly isError: boolean
}

/** Runs a call as the model wrote it. @throws only the signal's reason */
export async function runCall(
  box: ToolBox,
  { name, input }: { readonly name: string; readonly input: string },
  options: AbortOptions,
): Promise<CallResult> {
  const value = parseObject(input)
  if (value === undefined)
    return { text: 'The arguments are no JSON object. Write them again.', isError: true }
  try {
    const { text, isError, truncated } = await box.call(name, value, options)
    return { text: truncated ? `${text}\n[The result is longer; this is its beginning.]` : text, isError }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { text: 'The tool is no longer there.', isError: true }
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** Arguments as a template can write them again, whatever the model has written. */
export function writableArguments(text: string): string {
  try {
    return JSON.stringify(parseObject(text) ?? {})
  } catch {
    // More levels than can be written.
    return '{}'
  }
}
