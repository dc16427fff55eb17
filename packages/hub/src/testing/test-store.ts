import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseModelSource, type LoadProgress, type Logger, type ModelSource } from '@petals-chat/engine'
import { type HubConfigInput, hubConfigSchema } from '../config.ts'
import { createModelStore } from '../model-store.ts'
import type { ModelStore } from '../model-store.types.ts'
import { type HubServer, startHubServer } from './hub-server.ts'

/** A `ModelStore` that accepts sources as text. */
export type TextStore = {
  readonly [Method in keyof ModelStore]: ModelStore[Method] extends (
    source: ModelSource,
    ...rest: infer Rest
  ) => infer Result
    ? (source: string, ...rest: Rest) => Result
    : ModelStore[Method]
}

/** A store with empty caches in a temporary folder, and a local Hub for it. */
export interface TestStore extends AsyncDisposable {
  readonly hub: HubServer
  readonly store: TextStore
  readonly folder: string
  readonly cacheDir: string
  readonly wheelCacheDir: string
  /** Messages that were logged at warn. */
  readonly warnings: string[]
  /** Opens the same caches like another start of the program, with other settings. */
  reopen(config?: HubConfigInput): TextStore
}

/** Retries without noticeable pauses. */
export const quick: HubConfigInput = { retryDelayMs: 1, requestTimeoutMs: 2000, stallTimeoutMs: 2000 }

export async function openTestStore(config: HubConfigInput = {}): Promise<TestStore> {
  const folder = await mkdtemp(join(tmpdir(), 'petals-chat-hub-'))
  const hub = await startHubServer()
  const cacheDir = join(folder, 'hub')
  const wheelCacheDir = join(folder, 'wheels')
  const warnings: string[] = []
  const reopen = (more: HubConfigInput = {}): TextStore => {
    const paths = { endpoint: hub.url, cacheDir, wheelCacheDir, tokenPath: join(folder, 'token') }
    const parsed = hubConfigSchema.parse({ ...quick, ...paths, ...config, ...more })
    const options = { logger: collectingLogger(warnings), baseFolder: folder, home: folder }
    return takingTexts(createModelStore(parsed, options))
  }
  return {
    ...{ hub, store: reopen(), folder, cacheDir, wheelCacheDir, warnings, reopen },
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const takingTexts = (store: ModelStore): TextStore => ({
  resolveFile: async (source, options) => store.resolveFile(parseModelSource(source), options),
  openFiles: async (source, options) => store.openFiles(parseModelSource(source), options),
  info: async (source, options) => store.info(parseModelSource(source), options),
  remove: async (source, options) => store.remove(parseModelSource(source), options),
  list: (options) => store.list(options),
  canReachHub: (options) => store.canReachHub(options),
})

function collectingLogger(warnings: string[]): Logger {
  const ignore = (): void => {}
  const logger: Logger = {
    debug: ignore,
    info: ignore,
    warn: (_, message) => void warnings.push(message),
    error: ignore,
    child: () => logger,
  }
  return logger
}

/** Returns pseudo-random bytes, the same for the same seed. */
export function someBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** Collects progress reports. */
export function progressLog(): {
  readonly seen: LoadProgress[]
  readonly onProgress: (progress: LoadProgress) => void
} {
  const seen: LoadProgress[] = []
  return { seen, onProgress: (progress) => void seen.push(progress) }
}
