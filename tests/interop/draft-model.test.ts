import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parseModelSource, silentLogger, type Engine, type Model } from '@petals-chat/engine'
import {
  createLlamaEngine,
  llamaConfigSchema,
  llamaModelSchema,
  type LlamaModelSpec,
} from '@petals-chat/llama'
import { connectSwarm } from '@petals-chat/petals/client'
import { DraftModel } from '../../packages/petals/src/drafting/draft-model.ts'
import { EagerDrafter } from '../../packages/petals/src/fixtures/eager-drafter.ts'
import { requireSameTokens } from '../../packages/petals/src/model/draft-vocabulary.ts'
import { ensureModel, findModel } from '../../swarm/models.ts'
import { startSwarm, type Swarm } from '../../swarm/swarm.ts'
import { defaultModelPath } from '../support/model.ts'
import { openFolderTokenizer } from './support/folder-tokenizer.ts'
import { openSwarmEngine } from './support/swarm-engine.ts'
import { openSwarmAnswers, type SwarmAnswers } from './support/swarm-session.ts'

const { name, dhtPrefix, blocks: numBlocks } = findModel('SmolLM2-135M-Instruct')
const count = 48
/** What is drafted is the test's, not that of the time that it takes on a busy machine. */
const leastPatienceMs = 60_000

/** A local engine whose models find out soon that they hang. */
const createLlama = async (): Promise<Engine<LlamaModelSpec>> => {
  const file = await defaultModelPath()
  const config = llamaConfigSchema.parse({
    threads: 1,
    sequences: 2,
    contextLength: 512,
    unresponsiveTimeoutMs: 2000,
  })
  return createLlamaEngine(config, { resolveFile: async () => file })
}

const draftSpec = llamaModelSchema.parse({ id: 'draft', engine: 'llama', source: 'hf:owner/repo/small.gguf' })

describe('a draft model in front of real servers', () => {
  let swarm: Swarm
  let llama: Engine<LlamaModelSpec>
  let answers: SwarmAnswers
  let prompt: readonly number[]
  /** The greedy answer without drafts. */
  let expected: readonly number[]
  const opened = new AsyncDisposableStack()
  beforeAll(async () => {
    swarm = opened.use(await startSwarm({ model: name, canRewind: true, blocksPerServer: numBlocks }))
    llama = opened.use(await createLlama())
    const client = opened.use(await connectSwarm({ initialPeers: [...swarm.initialPeers], audit: 'off' }))
    const model = client.openModel({ dhtPrefix, numBlocks, hiddenSize: 576 })
    answers = opened.use(await openSwarmAnswers(swarm.modelFolder, model))
    prompt = answers.tokenizer.encode('The history of the lighthouse on the rock begins in', {
      addSpecialTokens: true,
    })
    expected = (await answers.answer({ prompt, count })).ids
  })
  afterAll(() => opened.disposeAsync())

  const openDraft = async (): Promise<{ readonly draft: DraftModel; readonly model: Model }> => {
    const model = await llama.load(draftSpec)
    const { vocabSize: vocabularySize } = answers.tokenizer
    return {
      model,
      draft: await DraftModel.open({ model, vocabularySize, logger: silentLogger, leastPatienceMs }),
    }
  }

  it('has the same tokens in its GGUF file as the model has in its tokenizer.json; that of another family has not', async () => {
    const model = await llama.load(draftSpec)
    await expect(requireSameTokens(answers.tokenizer, model.tokenizer)).resolves.toBeUndefined()
    const { tokenizer: stories } = await openFolderTokenizer(await ensureModel(findModel('stories15M')))
    await expect(requireSameTokens(stories, model.tokenizer)).rejects.toThrow(/token \d+ is .* there, and/)
    await model[Symbol.asyncDispose]()
  })

  it.each([
    ['greedy', { temperature: 0 }],
    ['sampled with a seed', { temperature: 0.8, topP: 0.95, seed: 5 }],
    ['with penalties', { temperature: 0, frequencyPenalty: 0.6, repetitionPenalty: 1.1 }],
  ])('changes no token, and guesses many: %s', async (_kind, sampling) => {
    const { draft } = await openDraft()
    await using _draft = draft
    const plain = await answers.answer({ prompt, count, sampling })
    const drafted = await answers.answer({
      prompt,
      count,
      sampling,
      createDrafter: () => new EagerDrafter(draft),
    })
    expect(drafted.ids).toEqual(plain.ids)
    expect(drafted.drafts.accepted).toBeGreaterThan(10)
    expect(draft.tokenMs).toBeGreaterThan(0)
  })

  it.each([
    ['dies', 'SIGKILL'],
    ['hangs', 'SIGSTOP'],
  ] as const)('changes no token when it %s in the middle of an answer', async (_fault, signal) => {
    const { draft, model } = await openDraft()
    await using _draft = draft
    const { pid } = model as Model & { readonly pid: number }
    const drafted = await answers.answer({
      prompt,
      count,
      createDrafter: () => new EagerDrafter(draft),
      atToken: (tokens) => {
        if (tokens === 20) process.kill(pid, signal)
      },
    })
    expect(drafted.ids).toEqual(expected)
    // The next answer has its guesses again.
    const again = await answers.answer({ prompt, count, createDrafter: () => new EagerDrafter(draft) })
    expect(again.ids).toEqual(expected)
    expect(again.drafts.accepted).toBeGreaterThan(10)
    expect((model as Model & { readonly pid: number }).pid).not.toBe(pid)
  })

  it('is loaded with a model whose entry names it, told with its memory, and closed with it', async () => {
    const local = await createLlama()
    await using _local = local
    const loadDraft = vi.fn((spec: { readonly id: string }) => local.load({ ...draftSpec, id: spec.id }))
    const said: string[] = []
    const logger = {
      ...silentLogger,
      info: (_fields: object, message: string) => void said.push(message),
      child: () => logger,
    }
    const draft = parseModelSource('hf:owner/repo/small.gguf')
    await using subject = await openSwarmEngine(swarm, name, { audit: 'off' }, logger, { draft, loadDraft })
    expect(loadDraft).toHaveBeenCalledOnce()
    expect(said.some((message) => /guesses tokens, in [\d.]+ ms each/.test(message))).toBe(true)
    const [loaded] = await Promise.all(loadDraft.mock.results.map(({ value }) => value as Promise<Model>))
    expect(subject.model.memoryBytes).toBeGreaterThan(loaded!.memoryBytes! + 10_000_000)
    await using session = await subject.model.openSession({ maxLength: 256 })
    const ids: number[] = []
    for await (const { token } of session.generate(prompt, {
      sampling: { temperature: 0 },
      maxNewTokens: count,
    }))
      ids.push(token)
    expect(ids).toEqual(expected)
    await subject.model[Symbol.asyncDispose]()
    expect(await loaded!.status()).toMatchObject({ state: 'unavailable' })
  })
})
