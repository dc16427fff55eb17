import type { AbortOptions, Logger } from '@petals-chat/engine'
import type { BlockRange } from '@petals-chat/petals/protocol'
import { measureThroughput, type Throughput } from '../announce/throughput.ts'
import type { BlockEngine } from '../engine/block-engine.ts'
import type { HeldBlocks } from '../sessions/host.ts'
import type { BlockServerOptions } from './options.ts'

/** Loaded blocks, and how fast they are. */
export interface Holding extends HeldBlocks, AsyncDisposable {
  readonly throughput: Throughput
}

/** Loads blocks and measures them. @throws Error if the engine has loaded other blocks than it was asked for */
export async function load(
  range: BlockRange,
  options: BlockServerOptions,
  { usesRelay, logger, signal }: { readonly usesRelay: boolean; readonly logger: Logger } & AbortOptions,
): Promise<Holding> {
  await using opening = new AsyncDisposableStack()
  const engine = opening.use(await options.openEngine(range, { signal }))
  checkRange(engine, range)
  const measured = options.throughput ?? (await measureThroughput(engine, { usesRelay, signal }))
  logger.info({ ...range, ...measured }, 'loaded the blocks, and measured them')
  const resources = opening.move()
  return { engine, range, throughput: measured, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

function checkRange({ info }: BlockEngine, { start, end }: BlockRange): void {
  if (info.start === start && info.end === end) return
  throw new Error(`The engine has loaded blocks ${info.start}:${info.end} instead of ${start}:${end}.`)
}
