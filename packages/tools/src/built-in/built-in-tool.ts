import type { Tool } from '@petals-chat/engine'
import type { RawCallOptions } from '../tool-server.ts'

/** A tool that this program has itself. */
export interface BuiltInTool extends Omit<Tool, 'ownName'> {
  /** @throws ToolFailure that tells the model what to do; the signal's reason */
  run(input: Readonly<Record<string, unknown>>, options: RawCallOptions): string | Promise<string>
}
