import type { Logger, Metrics } from '@petals-chat/engine'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import {
  llamaConfigSchema,
  llamaModelSchema,
  type LlamaConfigInput,
  type LlamaModelInput,
} from '../config.ts'
import { createLlamaEngine } from '../llama-engine.ts'
import type { LlamaModel } from '../llama-model.ts'

export interface TestModelOptions {
  readonly config?: LlamaConfigInput | undefined
  readonly spec?: Partial<LlamaModelInput> | undefined
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
}

export interface TestModel extends AsyncDisposable {
  readonly model: LlamaModel
}

/** Loads the default model with little memory, on one thread because tests run in parallel. */
export async function openTestModel(options: TestModelOptions = {}): Promise<TestModel> {
  const path = await defaultModelPath()
  const config = llamaConfigSchema.parse({ sequences: 4, contextLength: 512, threads: 1, ...options.config })
  const { logger, metrics } = options
  const engine = createLlamaEngine(config, { logger, metrics, resolveFile: async () => path })
  const spec = llamaModelSchema.parse({ id: 'SmolLM2', engine: 'llama', source: path, ...options.spec })
  const model = (await engine.load(spec)) as LlamaModel
  return { model, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() }
}
