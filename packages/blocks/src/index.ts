/**
 * A server of a Petals swarm without Python: a span of transformer blocks on llama.cpp's kernels, in a child process.
 *
 * @packageDocumentation
 */
export type {
  BlockCache,
  BlockEngine,
  BlockEngineInfo,
  BlockPass,
  BlockStep,
  DeepPrompts,
  OpenCacheOptions,
} from './engine/block-engine.ts'
export * from './engine/errors.ts'
export { startBlockEngine, type NativeBlockEngine } from './engine/native-engine.ts'
export type { BlockEngineOptions } from './engine/options.ts'
export { planBlocks, type BlocksPlan, type BlocksPlanOptions } from './engine/plan-blocks.ts'
export type { BlockShape } from './model/block-shape.ts'
export type { WeightType } from './model/weight-types.ts'
export { openBlockModel, type BlockModel, type OpenBlockModelOptions } from './weights/block-model.ts'
export type { AnnouncedModel } from './announce/announcer.ts'
export {
  combined,
  measureThroughput,
  type Throughput,
  type ThroughputOptions,
} from './announce/throughput.ts'
export { chooseBestBlocks, shouldChooseOtherBlocks, type RatedSpan } from './selection/choose-blocks.ts'
export type { ActivityReport, PeerUse } from './server/activity.ts'
export { startBlockServer, type BlockServer, type BlockServerStatus } from './server/block-server.ts'
export type { BalanceTimes, BlockServerOptions, Reach } from './server/options.ts'
