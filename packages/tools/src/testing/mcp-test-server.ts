import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { ReadableStream as NodeStream } from 'node:stream/web'
import {
  createMcpHandler,
  McpServer,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'

type Handler = (request: Request) => Promise<Response>

/** An HTTP server on this machine with one handler of web requests. It counts what it is asked. */
export class WebServer implements AsyncDisposable {
  readonly requests: { readonly method: string; readonly headers: Headers }[] = []
  handler: Handler
  readonly #server: Server

  protected constructor(handler: Handler) {
    this.handler = handler
    this.#server = createServer((incoming, outgoing) => {
      this.#answer(incoming, outgoing).catch(() => outgoing.destroy())
    })
  }

  static async serve(handler: Handler, port = 0): Promise<WebServer> {
    const server = new WebServer(handler)
    await server.listen(port)
    return server
  }

  protected async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as { readonly port: number }).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/mcp`
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const gone = new AbortController()
    outgoing.once('close', () => gone.abort())
    const method = incoming.method ?? 'GET'
    const headers = new Headers(incoming.headers as Record<string, string>)
    this.requests.push({ method, headers })
    const body =
      method === 'GET' || method === 'DELETE' ? null : Buffer.concat(await Readable.from(incoming).toArray())
    const url = `http://127.0.0.1:${this.port}${incoming.url}`
    const response = await this.handler(new Request(url, { method, headers, body, signal: gone.signal }))
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    outgoing.flushHeaders()
    if (response.body === null) return void outgoing.end()
    const stream = Readable.fromWeb(response.body as NodeStream)
    stream.on('error', () => outgoing.destroy())
    outgoing.once('close', () => stream.destroy())
    stream.pipe(outgoing)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}

export interface McpTestServerOptions {
  /** Registers the tools of one session. */
  readonly tools: (server: McpServer) => void
  /** 2025: with sessions, as most servers are; 2026: without. */
  readonly era?: 2025 | 2026
  readonly port?: number
}

/** A real MCP server, made with the classes of the official SDK. */
export class McpTestServer extends WebServer {
  readonly #options: McpTestServerOptions
  readonly #sessions = new Map<
    string,
    { server: McpServer; transport: WebStandardStreamableHTTPServerTransport }
  >()

  private constructor(options: McpTestServerOptions) {
    super(() => Promise.reject(new Error('no handler yet')))
    this.#options = options
    const handler = createMcpHandler(() => this.#create())
    this.handler =
      options.era === 2026 ? (request) => handler.fetch(request) : (request) => this.#sessionful(request)
  }

  static async start(options: McpTestServerOptions): Promise<McpTestServer> {
    const server = new McpTestServer(options)
    await server.listen(options.port ?? 0)
    return server
  }

  /** The servers of the open sessions. */
  get sessions(): readonly McpServer[] {
    return [...this.#sessions.values()].map(({ server }) => server)
  }

  /** As after a restart: no session is known any more. */
  forget(): void {
    this.#sessions.clear()
  }

  #create(): McpServer {
    const server = new McpServer({ name: 'test', title: 'Test server', version: '1.0.0' })
    this.#options.tools(server)
    return server
  }

  async #sessionful(request: Request): Promise<Response> {
    const id = request.headers.get('mcp-session-id')
    if (id !== null) {
      const known = this.#sessions.get(id)
      return known?.transport.handleRequest(request) ?? new Response('Session not found', { status: 404 })
    }
    const server = this.#create()
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (session) => void this.#sessions.set(session, { server, transport }),
      onsessionclosed: (session) => void this.#sessions.delete(session),
    })
    await server.connect(transport)
    return transport.handleRequest(request)
  }
}

export { McpServer } from '@modelcontextprotocol/server'
