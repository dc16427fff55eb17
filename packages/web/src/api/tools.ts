import type { ToolBody, ToolCallBody, ToolListBody, ToolResultBody, ToolServerBody } from '@petals-chat/api'
import { bodyOf } from './body-of.ts'
import { ApiError, toApiError } from './errors.ts'
import { count, isRecord, records, text, type Untrusted } from './read-json.ts'

/** A tool that the models of this server may call. */
export interface ToolInfo {
  /** The name of the function, unique on this server. */
  readonly name: string
  /** A name for people; the function's if its server gives none. */
  readonly title: string
  readonly description: string
  /** JSON schema of the arguments. */
  readonly inputSchema: Readonly<Record<string, unknown>>
  /** It changes nothing, as its server says. */
  readonly readOnly: boolean
  /** Differs when the tool changes; undefined at a server of an earlier version. */
  readonly version?: string | undefined
}

/** A server with tools, or the tools that this server has itself. */
export interface ToolServer {
  readonly name: string
  /** A name for people, as the server itself gives it: who is asked for consent must not rely on it. */
  readonly title: string | undefined
  readonly builtIn: boolean
  readonly state: ToolServerBody['state']
  /** What is wrong, in the server's words. */
  readonly problem: string | undefined
  readonly tools: readonly ToolInfo[]
}

/** Returns the name of a server that its operator gave it, and it can’t choose itself. */
export function serverName({ name, builtIn }: Pick<ToolServer, 'name' | 'builtIn'>): string {
  return builtIn ? 'Petals Chat' : name
}

/** Bounds of calls, as the server's config sets them. */
export interface ToolLimits {
  /** How often a model may call tools for one answer. */
  readonly maxRounds: number
  readonly timeoutSeconds: number
  readonly maxResultChars: number
}

/** All tools of this server, as `GET /api/tools` describes them. */
export interface ToolList {
  readonly servers: readonly ToolServer[]
  readonly limits: ToolLimits
}

/** What a tool returned. Its text is for the model, and is never markup. */
export interface ToolResult {
  readonly text: string
  readonly isError: boolean
  /** The text is the beginning of a longer one. */
  readonly truncated: boolean
}

/** How the page asks for tools and runs them. */
export interface ToolClient {
  /** @throws ApiError */
  list(): Promise<ToolList>
  /** Returns the ids of the models that can’t call tools. @throws ApiError */
  modelsWithoutTools(): Promise<ReadonlySet<string>>
  /** Runs a tool; the signal cancels it on the server, too. @throws ApiError */
  call(call: ToolCallBody, signal: AbortSignal): Promise<ToolResult>
}

/** The server waits for the servers of tools a moment. */
const LIST_TIMEOUT_MS = 30_000

/** A server of an earlier version has no tools. */
const noTools: ToolList = {
  servers: [],
  limits: { maxRounds: 8, timeoutSeconds: 60, maxResultChars: 20_000 },
}

export const toolClient: ToolClient = {
  async list() {
    const response = await send('api/tools', { signal: AbortSignal.timeout(LIST_TIMEOUT_MS) })
    return response.status === 404 ? noTools : parseToolList(await bodyOf(response))
  },
  async modelsWithoutTools() {
    const body = await bodyOf(await send('v1/models', { signal: AbortSignal.timeout(LIST_TIMEOUT_MS) }))
    return new Set(records(isRecord(body) ? body['data'] : []).flatMap((model) => idWithoutTools(model)))
  },
  async call(call, signal) {
    const headers = { 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body: JSON.stringify(call), signal }
    return parseResult(await bodyOf(await send('api/tools/call', init)))
  },
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { ...init, cache: 'no-store' })
  } catch (cause) {
    throw toApiError(cause)
  }
}

function idWithoutTools({ id, capabilities }: Record<string, unknown>): readonly string[] {
  const calls = isRecord(capabilities) ? capabilities['function_calling'] : undefined
  return typeof id === 'string' && calls === false ? [id] : []
}

/** Reads the list defensively: what is no tool is left out. */
export function parseToolList(body: unknown): ToolList {
  const { servers, limits }: Untrusted<ToolListBody> = isRecord(body) ? body : {}
  const bounds: Untrusted<ToolListBody['limits']> = isRecord(limits) ? limits : {}
  return {
    servers: records(servers).flatMap((server) => parseServer(server) ?? []),
    limits: {
      maxRounds: count(bounds.maxRounds) ?? noTools.limits.maxRounds,
      timeoutSeconds: count(bounds.timeoutSeconds) ?? noTools.limits.timeoutSeconds,
      maxResultChars: count(bounds.maxResultChars) ?? noTools.limits.maxResultChars,
    },
  }
}

function parseServer(server: Untrusted<ToolServerBody>): ToolServer | undefined {
  const name = text(server.name)
  if (name === undefined) return undefined
  const { state } = server
  return {
    name,
    title: text(server.title),
    builtIn: server.builtIn === true,
    state: state === 'ready' || state === 'connecting' ? state : 'unreachable',
    problem: text(server.problem),
    tools: records(server.tools).flatMap((tool) => parseTool(tool) ?? []),
  }
}

function parseTool(tool: Untrusted<ToolBody>): ToolInfo | undefined {
  const name = text(tool.name)
  if (name === undefined) return undefined
  return {
    name,
    title: text(tool.title) ?? name,
    description: text(tool.description) ?? '',
    inputSchema: isRecord(tool.inputSchema) ? tool.inputSchema : {},
    // In doubt, the reader is asked.
    readOnly: tool.readOnly === true,
    version: text(tool.version),
  }
}

function parseResult(body: unknown): ToolResult {
  const result: Untrusted<ToolResultBody> = isRecord(body) ? body : {}
  if (typeof result.text !== 'string')
    throw new ApiError({ kind: 'server', message: 'The server sent no result of the tool.' })
  return { text: result.text, isError: result.isError === true, truncated: result.truncated === true }
}
