import {
  abortable,
  type AbortOptions,
  type Logger,
  silentLogger,
  type Tool,
  type ToolBox,
  type ToolLimits,
  type ToolListOptions,
  type ToolResult,
  type ToolSource,
} from '@petals-chat/engine'
import { bounds, cut } from './bounds.ts'
import { BuiltInServer } from './built-in/built-in-server.ts'
import { BUILT_IN, type ToolsConfig } from './config.ts'
import { serverOf } from './mcp/tool-name.ts'
import { type RawResult, ToolFailure, type ToolServer } from './tool-server.ts'

export interface ToolBoxOptions {
  readonly logger?: Logger | undefined
  /** Of this program, for servers. */
  readonly version: string
}

/** The tools of a configuration. No server is asked before its tools are needed. */
export async function createToolBox(config: ToolsConfig, options: ToolBoxOptions): Promise<ToolBox> {
  const servers = [new BuiltInServer(config.builtIn), ...(await mcpServers(config, options))]
  return new ConfiguredTools(config, servers)
}

/** The library is loaded only where a server is configured. */
async function mcpServers(
  { servers, timeoutSeconds }: ToolsConfig,
  { logger = silentLogger, version }: ToolBoxOptions,
): Promise<readonly ToolServer[]> {
  if (servers.length === 0) return []
  const { McpServer } = await import('./mcp/mcp-server.ts')
  const callMs = timeoutSeconds * 1000
  return servers.map((server) => new McpServer(server, { logger, callMs, version }))
}

/** Beyond the time of waiting for a turn, and that of the call. */
const GRACE_MS = 5_000

/** Ends a call that minds neither its time nor its signal: it must not keep its place among those that run. */
async function inTime(
  call: Promise<RawResult>,
  { signal, timeoutMs }: AbortOptions & { timeoutMs: number },
): Promise<RawResult> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new ToolFailure('The tool did not end in time.')),
    2 * timeoutMs + GRACE_MS,
  )
  try {
    return await abortable(Promise.race([call, late]), signal)
  } finally {
    clearTimeout(timer)
    call.catch(() => {})
  }
}

class ConfiguredTools implements ToolBox {
  readonly limits: ToolLimits
  readonly #servers: ReadonlyMap<string, ToolServer>
  #calls = 0

  constructor({ maxRounds, timeoutSeconds, maxResultChars }: ToolsConfig, servers: readonly ToolServer[]) {
    this.limits = { maxRounds, timeoutSeconds, maxResultChars }
    this.#servers = new Map(servers.map((server) => [server.name, server]))
  }

  list(options: ToolListOptions = {}): Promise<readonly ToolSource[]> {
    return Promise.all([...this.#servers.values()].map((server) => server.look(options)))
  }

  async source(name: string, options: ToolListOptions = {}): Promise<ToolSource | undefined> {
    return this.#servers.get(name)?.look(options)
  }

  async find(name: string, options: AbortOptions = {}): Promise<Tool | undefined> {
    return (await this.#locate(name, options))?.tool
  }

  async #locate(name: string, options: AbortOptions) {
    const server = this.#servers.get(serverOf(name) ?? BUILT_IN)
    const source = await server?.look(options)
    const tool = source?.tools.find((each) => each.name === name)
    return tool && { server: server!, tool }
  }

  async call(
    name: string,
    input: Readonly<Record<string, unknown>>,
    options: AbortOptions = {},
  ): Promise<ToolResult> {
    const start = performance.now()
    const located = await this.#locate(name, options)
    if (located === undefined) throw new RangeError(`There is no tool '${name}'.`)
    const { server, tool } = located
    const timeoutMs = this.limits.timeoutSeconds * 1000
    const { text, isError } = await this.#run(tool, () =>
      inTime(server.call(tool.ownName, input, { ...options, timeoutMs }), { ...options, timeoutMs }),
    )
    options.signal?.throwIfAborted()
    const shown = cut(text, this.limits.maxResultChars)
    return {
      text: shown,
      isError,
      truncated: shown.length < text.length,
      elapsedMs: Math.round(performance.now() - start),
    }
  }

  async #run({ name }: Tool, call: () => Promise<RawResult>): Promise<RawResult> {
    if (this.#calls >= bounds.calls)
      return {
        text: `The tool '${name}' can’t run now: ${bounds.calls} calls are running. Try again.`,
        isError: true,
      }
    this.#calls++
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof ToolFailure)) throw error
      return { text: error.message, isError: true }
    } finally {
      this.#calls--
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server[Symbol.asyncDispose]()))
  }
}
