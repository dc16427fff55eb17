import { greedy, type Model } from '@petals-chat/engine'
import { createLlamaEngine, llamaConfigSchema, llamaModelSchema } from '@petals-chat/llama'
import type { LoadDraft } from '@petals-chat/petals'
import { connectSwarm } from '@petals-chat/petals/client'
import type { Swarm } from '../../swarm/swarm.ts'
import { median } from './statistics.ts'

/** What a draft model would have guessed of an answer. */
export interface DraftFigures {
  /** The share of the answer's tokens that the model would have guessed right, each after all tokens before it. */
  readonly acceptance: number
  /** Milliseconds of one of its tokens. */
  readonly tokenMs: number
}

/** A local engine for the draft model of a client. */
export interface DraftEngine extends AsyncDisposable {
  readonly loadDraft: LoadDraft
  measure(ids: readonly number[], answer: readonly number[]): Promise<DraftFigures>
}

export function createDraftEngine(file: string): DraftEngine {
  const engine = createLlamaEngine(llamaConfigSchema.parse({}), { resolveFile: async () => file })
  const specOf = (id: string) => llamaModelSchema.parse({ id, engine: 'llama', source: file })
  /** The same model once more: that of the client keeps its sessions. */
  let measured: Model | undefined
  return {
    loadDraft: ({ id }, options) => engine.load(specOf(id), options),
    async measure(ids, answer) {
      measured ??= await engine.load(specOf('measured'))
      await using session = await measured.openSession({ maxLength: ids.length + answer.length + 32 })
      const scores = await session.score!([...ids, ...answer], { topLogprobs: 1 })
      const right = scores
        .slice(ids.length)
        .filter(({ token, topLogprobs }) => topLogprobs[0]?.token === token).length
      // The draft model guesses its own next tokens, too, and then several come at once: only their mean says what one takes.
      let tokens = 0
      const startedAt = performance.now()
      for await (const _ of session.generate(answer.slice(-1), { sampling: greedy, maxNewTokens: 16 }))
        tokens++
      return { acceptance: right / answer.length, tokenMs: (performance.now() - startedAt) / tokens }
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  }
}

const widths = [1, 2, 3, 4, 6, 8, 12, 16] as const
const stepsOfEach = 5

/** Measures the milliseconds of a step of each width on the servers of a swarm, by turns, after a prompt. The LM head has no part in it. */
export async function measureStepTimes(
  swarm: Swarm,
  model: { readonly dhtPrefix: string; readonly numBlocks: number; readonly hiddenSize: number },
  promptTokens: number,
): Promise<ReadonlyMap<number, number>> {
  const { hiddenSize } = model
  const states = (tokens: number) => ({
    shape: [tokens, hiddenSize] as const,
    data: new Float32Array(tokens * hiddenSize).fill(0.01),
  })
  await using client = await connectSwarm({ initialPeers: [...swarm.initialPeers], audit: 'off' })
  await using session = client.openModel(model).openSession({ maxLength: promptTokens + 64 })
  await session.step(states(promptTokens))
  const times = new Map<number, number[]>(widths.map((width) => [width, []]))
  // The first turn finds out whether the servers rewind.
  for (let turn = -1; turn < stepsOfEach; turn++) {
    for (const width of widths) {
      const since = performance.now()
      await session.step(states(width), { isAnswer: true })
      if (turn >= 0) times.get(width)!.push(performance.now() - since)
      session.rewind(promptTokens)
    }
  }
  return new Map([...times].map(([width, each]) => [width, median(each)]))
}

/** The least milliseconds for a token: (time of a step of k + 1 tokens + k drafts) / E(α, k), for the best k that was measured. */
export function bestTokenMs(
  stepTimes: ReadonlyMap<number, number>,
  { acceptance, tokenMs }: DraftFigures,
): number {
  const each = [...stepTimes].map(([width, ms]) => {
    let tokens = 0
    for (let i = 0; i < width; i++) tokens += acceptance ** i
    return (ms + (width - 1) * tokenMs) / tokens
  })
  return Math.min(...each)
}
