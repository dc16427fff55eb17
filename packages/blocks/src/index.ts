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
