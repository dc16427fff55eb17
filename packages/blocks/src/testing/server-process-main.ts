// Serves the blocks of the tiny model in a process of its own: the server as it is, with the engine's child process. Started by
// ServerProcess, whose every message asks for a report.
import { startBlockEngine, type NativeBlockEngine } from '../engine/native-engine.ts'
import { startBlockServer } from '../server/block-server.ts'
import { openBlockModel } from '../weights/block-model.ts'
import type { ServerSettings, ServerReport } from './server-process.ts'
import { makeTinyModel, tiny } from './tiny-model.ts'

async function serve({ cacheTokens, limits, requestMemoryBytes, listen }: ServerSettings): Promise<void> {
  const files = await makeTinyModel()
  const model = await openBlockModel(files.files)
  let engine: NativeBlockEngine | undefined
  const server = await startBlockServer({
    model: { dhtPrefix: 'Tiny-hf', numBlocks: tiny.blocks },
    blocks: { start: 0, end: tiny.blocks },
    openEngine: async ({ start, end }) =>
      (engine = await startBlockEngine({ model, start, end, cacheType: 'f32', cacheTokens, threads: 1 })),
    initialPeers: [],
    listen: listen ?? ['/ip4/127.0.0.1/tcp/0'],
    reach: 'direct',
    version: '0.0.0',
    throughput: { inferenceRps: 1, forwardRps: 1, networkRps: 1, throughput: 1 },
    ...(requestMemoryBytes === undefined ? {} : { requestMemoryBytes }),
    limits,
  })
  const report = (): ServerReport => {
    globalThis.gc!()
    const { load, cacheTokensLeft = 0, activity } = server.status()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return {
      addresses: server.addresses,
      enginePid: engine!.pid!,
      liveMiB: Math.round((heapUsed + arrayBuffers) / 2 ** 20),
      load: { ...load, cacheTokensLeft, sessions: activity.sessions },
    }
  }
  process.on('message', () => process.send!(report()))
  process.once('disconnect', () => {
    void Promise.resolve(files[Symbol.asyncDispose]()).finally(() => process.exit())
  })
  process.send!(report())
}

process.once('message', (settings: ServerSettings) => {
  serve(settings).catch((error: unknown) => {
    process.send!({ error: error instanceof Error ? error.message : String(error) })
    process.exitCode = 1
    process.disconnect()
  })
})
