import type { ToolClient, ToolInfo, ToolLimits, ToolServer } from '../api/tools.ts'
import { toApiError, type ApiErrorDetails } from '../api/errors.ts'
import { createStore, type Store } from '../store.ts'

export interface ToolsState {
  readonly status: 'loading' | 'ready' | 'failed'
  readonly servers: readonly ToolServer[]
  /** Undefined until the server has been asked. */
  readonly limits: ToolLimits | undefined
  /** Ids of the models that can’t call tools. */
  readonly modelsWithoutTools: ReadonlySet<string>
  readonly error: ApiErrorDetails | undefined
}

/** A tool and the server that has it. */
export interface KnownTool {
  readonly tool: ToolInfo
  readonly server: ToolServer
}

export interface ToolsStore extends Store<ToolsState> {
  /** Asks for the tools, which connects servers that were lost. Never rejects. */
  refresh(): Promise<void>
  /** Resolves when these tools are known; asks for them if they are not, and have not just been missing. Never rejects. */
  known(names: readonly string[]): Promise<void>
  find(name: string): KnownTool | undefined
}

/** A server that can’t be reached is waited for once in this time: each list waits a moment for it. */
const MISSING_MS = 10_000

/** The tools of the server. */
export function createToolsStore(
  client: Pick<ToolClient, 'list' | 'modelsWithoutTools'>,
  now: () => number = () => performance.now(),
): ToolsStore {
  const store = createStore<ToolsState>({
    status: 'loading',
    servers: [],
    limits: undefined,
    modelsWithoutTools: new Set(),
    error: undefined,
  })
  let running: Promise<void> | undefined
  let askedAt = -Infinity
  const load = async (): Promise<void> => {
    try {
      const { servers, limits } = await client.list()
      const mayCall = servers.some(({ tools }) => tools.length > 0)
      const modelsWithoutTools = mayCall ? await client.modelsWithoutTools() : new Set<string>()
      store.set({ status: 'ready', servers, limits, modelsWithoutTools, error: undefined })
    } catch (cause) {
      store.update((state) => ({ ...state, status: 'failed', error: toApiError(cause).details }))
    }
  }
  const refresh = (): Promise<void> =>
    (running ??= load().finally(() => {
      running = undefined
      askedAt = now()
    }))
  return {
    get: store.get,
    subscribe: store.subscribe,
    refresh,
    async known(names) {
      const { servers, limits } = store.get()
      const isMissing = names.some((name) => findTool(servers, name) === undefined)
      if (limits === undefined || (isMissing && now() - askedAt >= MISSING_MS)) await refresh()
    },
    find: (name) => findTool(store.get().servers, name),
  }
}

export function findTool(servers: readonly ToolServer[], name: string): KnownTool | undefined {
  for (const server of servers) {
    const tool = server.tools.find((other) => other.name === name)
    if (tool) return { tool, server }
  }
  return undefined
}
