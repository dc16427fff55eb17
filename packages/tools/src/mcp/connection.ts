import {
  Client,
  SdkHttpError,
  StreamableHTTPClientTransport,
  type CallToolResult,
  type Tool as McpTool,
} from '@modelcontextprotocol/client'
import { bounds } from '../bounds.ts'
import type { McpServerConfig } from '../config.ts'
import type { RawCallOptions } from '../tool-server.ts'
import { type BoundError, boundedFetch } from './bounded-fetch.ts'
import { type OfferedTool, offeredTools } from './offered-tools.ts'

export interface ConnectionOptions {
  /** How long one call may take. */
  readonly callMs: number
  readonly version: string
  /** Ends what the connection waits for. */
  readonly signal: AbortSignal
}

/** Beyond the time of a call: for the server to hear that it is cancelled. */
const GRACE_MS = 2_000
const GOODBYE_MS = 1_000
const MIN_RECONNECT_MS = 1_000
const MAX_RECONNECT_MS = 60_000

/** A session with an MCP server. */
export class Connection {
  readonly #client: Client
  readonly #transport: StreamableHTTPClientTransport
  readonly #config: McpServerConfig
  tools: readonly OfferedTool[] = []
  problem: string | undefined
  /** Why the connection is over, if the server has broken a bound. */
  broken: BoundError | undefined
  readonly #signal: AbortSignal
  #listedAt = -Infinity
  #hasChanged = false

  private constructor(config: McpServerConfig, { callMs, version, signal }: ConnectionOptions) {
    this.#config = config
    this.#signal = signal
    this.#client = new Client(
      { name: 'petals-chat', version },
      {
        // Servers of 2026 know no sessions, those of 2025 need them.
        versionNegotiation: { mode: 'auto' },
        // Schemas of results come from the server, too: none is compiled.
        jsonSchemaValidator: {
          getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
        },
        inputRequired: { autoFulfill: false },
        listMaxPages: bounds.pages,
        listChanged: { tools: { autoRefresh: false, onChanged: () => (this.#hasChanged = true) } },
      },
    )
    // What concerns a request is thrown there.
    this.#client.onerror = () => {}
    this.#transport = new StreamableHTTPClientTransport(new URL(config.url), {
      requestInit: { headers: config.headers, redirect: 'manual' },
      fetch: boundedFetch({
        url: config.url,
        requestMs: Math.max(callMs, bounds.connectMs) + GRACE_MS,
        onBroken: (error) => this.#break(error),
      }),
      onInsufficientScope: 'throw',
      reconnectionScheduler: patientReconnection(),
    })
  }

  /** @throws what went wrong */
  static async open(config: McpServerConfig, options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(config, options)
    try {
      const { signal } = options
      await connection.#client.connect(connection.#transport, { timeout: bounds.connectMs, signal })
      await connection.list()
      return connection
    } catch (error) {
      await connection.close()
      throw connection.broken ?? error
    }
  }

  #break(error: BoundError): void {
    if (this.broken !== undefined) return
    this.broken = error
    void this.#client.close().catch(() => {})
  }

  get title(): string | undefined {
    return this.#client.getServerVersion()?.title
  }

  /** Whether the list has to be read again. */
  get isStale(): boolean {
    return performance.now() - this.#listedAt > (this.#hasChanged ? bounds.relistMs : bounds.listAgeMs)
  }

  /** Reads the list. @throws what went wrong */
  async list(): Promise<void> {
    this.#listedAt = performance.now()
    this.#hasChanged = false
    const deadline = AbortSignal.any([this.#signal, AbortSignal.timeout(bounds.connectMs)])
    const listed: McpTool[] = []
    let cursor: string | undefined
    for (let page = 0; page < bounds.pages; page++) {
      // Not `listTools`: its first page comes with all others, or not at all.
      const params = cursor === undefined ? {} : { cursor }
      const result = await this.#client.request(
        { method: 'tools/list', params },
        { timeout: bounds.connectMs, signal: deadline },
      )
      listed.push(...result.tools.slice(0, bounds.listedTools - listed.length))
      if (result.nextCursor === undefined || result.nextCursor === cursor) break
      if (listed.length === bounds.listedTools) break
      cursor = result.nextCursor
    }
    const { tools, problem } = offeredTools(listed, this.#config)
    this.tools = tools
    this.problem = problem
  }

  /** @throws the signal's reason, or what went wrong */
  async call(
    ownName: string,
    input: Readonly<Record<string, unknown>>,
    { signal, timeoutMs }: RawCallOptions,
  ): Promise<CallToolResult> {
    const definition = this.tools.find(({ tool }) => tool.ownName === ownName)?.definition
    return this.#client.callTool(
      { name: ownName, arguments: { ...input } },
      { timeout: timeoutMs, ...(signal && { signal }), ...(definition && { toolDefinition: definition }) },
    )
  }

  /** Whether the error means that the server has forgotten the session, and has not run what was asked. */
  hasLostSession(error: unknown): boolean {
    return (
      this.#transport.sessionId !== undefined &&
      error instanceof SdkHttpError &&
      (error.status === 404 || error.status === 400)
    )
  }

  /** Says goodbye, if the server listens. Never rejects. */
  async close(): Promise<void> {
    const late = new Promise((resolve) => setTimeout(resolve, GOODBYE_MS).unref())
    await Promise.race([this.#transport.terminateSession().catch(() => {}), late])
    await this.#client.close().catch(() => {})
  }
}

/** Streams of notifications that end are opened again, ever more slowly, however soon the server asks for it. */
function patientReconnection() {
  let delayMs = MIN_RECONNECT_MS
  return (reconnect: () => void): (() => void) => {
    const timer = setTimeout(reconnect, delayMs).unref()
    delayMs = Math.min(delayMs * 2, MAX_RECONNECT_MS)
    return () => clearTimeout(timer)
  }
}
