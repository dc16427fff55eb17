import type { Tool, ToolSource } from '@petals-chat/engine'
import { BUILT_IN, type ToolsConfig } from '../config.ts'
import { type RawCallOptions, type RawResult, ToolFailure, type ToolServer } from '../tool-server.ts'
import type { BuiltInTool } from './built-in-tool.ts'
import { calculatorTool } from './calculator.ts'
import { fetchTool } from './fetch-page.ts'
import { timeTool } from './time.ts'

/** The tools of the configuration that need no server. */
export class BuiltInServer implements ToolServer {
  readonly name = BUILT_IN
  readonly #tools: readonly BuiltInTool[]

  constructor({ time, calculator, fetch }: ToolsConfig['builtIn']) {
    this.#tools = [
      ...(time ? [timeTool()] : []),
      ...(calculator ? [calculatorTool] : []),
      ...(fetch === false ? [] : [fetchTool(fetch)]),
    ]
  }

  look(): Promise<ToolSource> {
    const tools = this.#tools.map(({ run: _run, ...tool }): Tool => ({ ...tool, ownName: tool.name }))
    return Promise.resolve({ name: this.name, builtIn: true, state: 'ready', tools })
  }

  async call(
    ownName: string,
    input: Readonly<Record<string, unknown>>,
    options: RawCallOptions,
  ): Promise<RawResult> {
    const tool = this.#tools.find(({ name }) => name === ownName)
    if (tool === undefined) throw new ToolFailure(`There is no tool '${ownName}'.`)
    return { text: await tool.run(input, options), isError: false }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}
