import type { AbortOptions, ToolListOptions, ToolSource } from '@petals-chat/engine'

/** What a tool returned, of any length. */
export interface RawResult {
  readonly text: string
  readonly isError: boolean
}

export interface RawCallOptions extends AbortOptions {
  readonly timeoutMs: number
}

/** What the tool box joins: the built-in tools, and each MCP server. */
export interface ToolServer extends AsyncDisposable {
  readonly name: string
  /** @throws only the signal's reason */
  look(options: ToolListOptions): Promise<ToolSource>
  /** @param ownName - of a tool that `look` has listed. @throws the signal's reason; ToolFailure */
  call(ownName: string, input: Readonly<Record<string, unknown>>, options: RawCallOptions): Promise<RawResult>
}

/** A call that failed; the message tells the model why. */
export class ToolFailure extends Error {
  override readonly name = 'ToolFailure'
}
