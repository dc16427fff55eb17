import type { AbortOptions } from './abort.ts'

/** A tool that models may call. */
export interface Tool {
  /** Unique among all tools, at most 64 letters, digits, underscores and dashes. */
  readonly name: string
  /** Its name at its server. */
  readonly ownName: string
  /** A name for people. */
  readonly title?: string | undefined
  /** What the model reads. Servers write it: it is as trustworthy as they are. */
  readonly description: string
  /** JSON schema of the arguments. */
  readonly inputSchema: Readonly<Record<string, unknown>>
  /** It changes nothing, as its server says. */
  readonly readOnly: boolean
}

/** What has the tools: this program, or an MCP server. */
export interface ToolSource {
  readonly name: string
  readonly title?: string | undefined
  readonly builtIn: boolean
  readonly state: 'ready' | 'connecting' | 'unreachable'
  /** What is wrong, in words. */
  readonly problem?: string | undefined
  readonly tools: readonly Tool[]
}

export interface ToolLimits {
  /** How often a model may call tools before it has to answer. */
  readonly maxRounds: number
  /** How long one call may take. */
  readonly timeoutSeconds: number
  /** A longer result is cut. */
  readonly maxResultChars: number
}

export interface ToolResult {
  /** The result, or what went wrong, in words. Well-formed, and never longer than the limit. */
  readonly text: string
  /** The tool failed, could not be reached or took too long. */
  readonly isError: boolean
  /** The text is the beginning of a longer result. */
  readonly truncated: boolean
  readonly elapsedMs: number
}

export interface ToolListOptions extends AbortOptions {
  /** How long to wait for servers that are not connected; they are listed as they are then. In milliseconds. */
  readonly waitMs?: number | undefined
}

/** The tools of a configuration. What an MCP server does wrong is a result or a problem, never an error of the tool box. */
export interface ToolBox extends AsyncDisposable {
  readonly limits: ToolLimits
  /** Connects to the servers that are not connected. @throws the signal's reason */
  list(options?: ToolListOptions): Promise<readonly ToolSource[]>
  /** One of the list; undefined if none has that name. @throws the signal's reason */
  source(name: string, options?: ToolListOptions): Promise<ToolSource | undefined>
  /** The tool of that name, if it is known now or its server answers in time. @throws the signal's reason */
  find(name: string, options?: AbortOptions): Promise<Tool | undefined>
  /** Runs a tool. An abort cancels the call at its server. @throws the signal's reason; RangeError if there is no such tool */
  call(name: string, input: Readonly<Record<string, unknown>>, options?: AbortOptions): Promise<ToolResult>
}

/** The tool box of a server without tools. */
export const noTools: ToolBox = {
  limits: { maxRounds: 1, timeoutSeconds: 1, maxResultChars: 1 },
  list: () => Promise.resolve([]),
  source: () => Promise.resolve(undefined),
  find: () => Promise.resolve(undefined),
  call: (name) => Promise.reject(new RangeError(`There is no tool '${name}'.`)),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}
