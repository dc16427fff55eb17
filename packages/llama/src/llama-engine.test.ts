import {
  formatModelSource,
  ModelUnavailableError,
  type Logger,
  type LoadProgress,
  type ModelSource,
} from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { defaultModelPath } from '../../../tests/support/model.ts'
import { llamaConfigSchema, llamaModelSchema, type LlamaConfigInput } from './config.ts'
import { createLlamaEngine } from './llama-engine.ts'
import { detectLlamaBackends } from './machine/backends.ts'

const spec = llamaModelSchema.parse({
  id: 'SmolLM2',
  engine: 'llama',
  source: 'anywhere',
  sha256: 'a'.repeat(64),
})

function recordingLogger(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const log = (_fields: object, message: string) => void lines.push(message)
  const logger: Logger = { debug: () => {}, info: log, warn: log, error: log, child: () => logger }
  return { logger, lines }
}

const engineWith = async (config: LlamaConfigInput, logger?: Logger) => {
  const path = await defaultModelPath()
  const parsed = llamaConfigSchema.parse({ contextLength: 256, ...config })
  return createLlamaEngine(parsed, { logger, resolveFile: async () => path })
}

describe('loading a model', () => {
  it('resolves its file, reports progress, and logs what it chose', async () => {
    const { logger, lines } = recordingLogger()
    const path = await defaultModelPath()
    const asked: unknown[] = []
    const resolveFile = async (source: ModelSource, { sha256 }: { sha256?: string | undefined }) => {
      asked.push([formatModelSource(source), sha256])
      return path
    }
    await using engine = createLlamaEngine(llamaConfigSchema.parse({ contextLength: 256 }), {
      logger,
      resolveFile,
    })
    expect(engine.name).toBe('llama')
    const progress: LoadProgress[] = []
    const model = await engine.load(spec, { onProgress: (step) => progress.push(step) })
    expect(asked).toEqual([['anywhere', 'a'.repeat(64)]])
    expect(progress[0]).toMatchObject({ phase: 'load', unit: 'percent', total: 100 })
    expect(lines.join('\n')).toMatch(
      /SmolLM2 is ready .* threads: \d+ of \d+ cores.*\(\d+ tokens\/s\); 4 sessions of 256 tokens \(the model supports 8192/,
    )
    expect(model).toMatchObject({ id: 'SmolLM2', contextLength: 256, maxSessions: 4 })
  })

  it('can be aborted', async () => {
    await using engine = await engineWith({})
    const stop = new AbortController()
    const loading = engine.load(spec, { signal: stop.signal })
    stop.abort(new Error('changed my mind'))
    await expect(loading).rejects.toThrow('changed my mind')
  })

  it('ends when the engine is closed', async () => {
    const engine = await engineWith({})
    const loading = engine.load(spec)
    await engine[Symbol.asyncDispose]()
    await expect(loading).rejects.toThrow(/engine is closed/)
    await expect(engine.load(spec)).rejects.toThrow(/engine is closed/)
  })

  const [cuda] = detectLlamaBackends().gpus
  it.skipIf(cuda?.name !== 'cuda' || cuda.possible)(
    'says what is missing for the configured GPU',
    async () => {
      await using engine = await engineWith({ gpu: 'cuda' })
      const failure = engine.load(spec)
      await expect(failure).rejects.toThrow(ModelUnavailableError)
      await expect(failure).rejects.toThrow(/No NVIDIA driver was found. Or set gpu to auto or off/)
    },
  )

  it.skipIf(process.platform === 'darwin')('refuses Metal on other systems', async () => {
    await using engine = await engineWith({ gpu: 'metal' })
    await expect(engine.load(spec)).rejects.toThrow(/metal is not supported on/)
  })
})
