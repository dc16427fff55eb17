import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  createModelRegistry,
  greedy,
  silentLogger,
  type GeneratedToken,
  type GenerateOptions,
  type Session,
} from '@petals-chat/engine'
import { engineComplianceTests } from '@petals-chat/engine/testing'
import { createGateway, createPrometheusMetrics, gatewayConfigSchema } from '@petals-chat/gateway'
import { connectSwarm } from '@petals-chat/petals/client'
import { openLocalLayers } from '../../packages/petals/src/layers/local-layers.ts'
import { bestToken } from '../../packages/petals/src/sampling/ranking.ts'
import { rootFolder } from '../../swarm/paths.ts'
import { run } from '../../swarm/run.ts'
import { folderFiles } from '../support/folder-files.ts'
import { lmEvalScores, type Post } from '../support/lm-eval.ts'
import { startSwarmEngine, type SwarmEngine } from './support/swarm-engine.ts'
import { referenceAnswers } from './support/reference.ts'

const texts = [
  'The capital of France is',
  'Once upon a time, there was a little dragon who',
  'def fibonacci(n):\n    """Return the n-th number."""\n',
  '1, 1, 2, 3, 5, 8, 13,',
  'Žluťoučký kůň se ptá: 你好吗? 🙂 Antwort:',
]
const newTokens = 128

async function take(
  session: Session,
  tokens: readonly number[],
  count: number,
  options: GenerateOptions = { sampling: greedy },
): Promise<readonly GeneratedToken[]> {
  const taken: GeneratedToken[] = []
  for await (const token of session.generate(tokens, options)) {
    taken.push(token)
    if (taken.length === count) break
  }
  return taken
}

const idsOf = (tokens: readonly GeneratedToken[]): readonly number[] => tokens.map(({ token }) => token)

/** Natural logarithm of each probability. */
function logSoftmax(logits: readonly number[]): readonly number[] {
  const highest = logits.reduce((a, b) => Math.max(a, b))
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0)
  return logits.map((logit) => logit - highest - Math.log(sum))
}

/** Trained models run the whole suite; random ones are for their architectures. */
const models = [
  { name: 'stories15M', trained: true },
  { name: 'SmolLM2-135M-Instruct', trained: true },
  { name: 'random-llama', trained: false },
  { name: 'random-bloom', trained: false },
  { name: 'random-falcon', trained: false },
]

describe.each(models)('the swarm engine on $name', ({ name, trained }) => {
  let subject: SwarmEngine
  beforeAll(async () => {
    subject = await startSwarmEngine({ model: name })
  })
  afterAll(() => subject?.[Symbol.asyncDispose]())

  const encode = (text: string) => subject.model.tokenizer.encode(text, { addSpecialTokens: true })

  // Both compute all tokens on the same cores, which takes minutes where the machine is slow and busy.
  const title = `gives the ids of transformers, greedily, over ${texts.length} prompts x ${newTokens} tokens`
  it(title, { timeout: 900_000 }, async () => {
    const prompts = texts.map(encode)
    const reference = await referenceAnswers(name, prompts, newTokens)
    const answers = await Promise.all(
      prompts.map(async (prompt) => {
        await using session = await subject.model.openSession({ maxLength: prompt.length + newTokens })
        const most = await take(session, prompt, newTokens - 1)
        const last = await take(session, idsOf(most.slice(-1)), 1, { sampling: greedy, topLogprobs: 20 })
        return [...most, ...last]
      }),
    )
    expect(answers.map(idsOf)).toEqual(reference.map(({ ids }) => ids))

    for (const [index, answer] of answers.entries()) {
      const expected = logSoftmax(reference[index]!.lastLogits)
      for (const { token, logprob } of answer.at(-1)!.topLogprobs!) {
        expect(Math.abs(logprob - expected[token]!)).toBeLessThan(1e-3)
      }
    }
  })

  it('repeats a sampled answer with the same seed, and gives a different one with another seed', async () => {
    const prompt = encode(texts[1]!)
    const sample = async (seed: number) => {
      await using session = await subject.model.openSession({ maxLength: 128 })
      return idsOf(await take(session, prompt, 32, { sampling: { temperature: 0.8, topP: 0.9, seed } }))
    }
    const [first, again, other] = [await sample(7), await sample(7), await sample(8)]
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
  })

  it('reports its route, and that it is ready', async () => {
    const { model, swarm } = subject
    await using session = await model.openSession({ maxLength: 64 })
    expect(session.route!()).toEqual({ hops: [], failovers: [], pushed: false })
    await take(session, encode(texts[0]!), 4)
    const { hops, failovers } = session.route!()
    expect(hops.map(({ start, end, peer }) => [start, end, peer])).toEqual(
      swarm.servers.map(({ start, end, peerId }) => [start, end, peerId]),
    )
    for (const { stepMs } of hops) expect(stepMs).toBeGreaterThan(0)
    expect(failovers).toEqual([])
    expect(await model.status()).toEqual({ state: 'ready' })
  })

  it('answers the same through the client entry and local layers, without an engine', async () => {
    const { swarm, spec } = subject
    const prompt = encode(texts[0]!)
    await using engineSession = await subject.model.openSession({ maxLength: 64 })
    const expected = idsOf(await take(engineSession, prompt, 4))

    const heads = await mkdtemp(path.join(tmpdir(), 'petals-chat-heads-'))
    await using cleanUp = new AsyncDisposableStack()
    cleanUp.defer(() => rm(heads, { recursive: true, force: true }))
    await using layers = await openLocalLayers(folderFiles(swarm.modelFolder), { folder: heads, threads: 1 })
    const { hiddenSize } = layers.architecture
    await using client = await connectSwarm({ initialPeers: [...swarm.initialPeers] })
    const location = { dhtPrefix: spec.dhtPrefix!, numBlocks: swarm.blocks, hiddenSize }
    await using session = client.openModel(location).openSession({ maxLength: 64 })
    const ids: number[] = []
    for (let inputs = prompt; ids.length < 4; inputs = ids.slice(-1)) {
      const { shape, data } = await session.step(layers.embed(inputs))
      const last = { shape: [1, hiddenSize], data: data.slice((shape[0] - 1) * hiddenSize) } as const
      ids.push(bestToken((await layers.logits(last))[0]!).token)
    }
    expect(ids).toEqual(expected)
  })

  if (name === 'stories15M') {
    it('runs examples/swarm-client.ts', async () => {
      const { swarm, spec } = subject
      const { hidden_size: hiddenSize } = JSON.parse(
        await readFile(path.join(swarm.modelFolder, 'config.json'), 'utf8'),
      ) as { readonly hidden_size: number }
      const example = path.join(rootFolder, 'examples', 'swarm-client.ts')
      const args = [example, spec.dhtPrefix!, String(hiddenSize), ...swarm.initialPeers]
      const output = await run(process.execPath, ['--conditions=petals-chat-source', ...args])
      for (const { peerId, start, end } of swarm.servers)
        expect(output).toContain(`server ${peerId}: blocks ${start} to ${end - 1} of ${swarm.blocks}`)
      expect(output).toContain(`outputs: shape [1, ${hiddenSize}], finite: true`)
    })
  }

  if (name === 'SmolLM2-135M-Instruct') {
    it('gives lm-eval the log likelihoods that transformers computes, through the gateway', async () => {
      // The registry is not disposed: the model belongs to all tests.
      const registry = createModelRegistry({
        models: [{ spec: subject.spec, load: () => Promise.resolve(subject.model) }],
      })
      await using gateway = createGateway(gatewayConfigSchema.parse({ port: 0 }), {
        registry,
        logger: silentLogger,
        metrics: createPrometheusMetrics(),
        version: '0.0.0',
      })
      const post: Post = async (path, body, headers) =>
        gateway.app.request(path, { method: 'POST', body: JSON.stringify(body), headers })
      // Those that end at an end of a turn.
      const scores = await lmEvalScores(post, ({ logprobs }) => logprobs![0]!.length > 20)
      expect(scores.length).toBe(4)
      for (const { ours, reference } of scores) expect(Math.abs(ours / reference - 1)).toBeLessThan(0.003)
    })
  }

  if (trained) {
    engineComplianceTests(
      `petals (${name})`,
      async () => ({ model: subject.model, [Symbol.asyncDispose]: async () => {} }),
      { describe, it, beforeAll, afterAll },
    )
  }
})
