import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  greedy,
  silentMetrics,
  TokenGrammars,
  type DraftCount,
  type SamplingParams,
  type TokenId,
  type Tokenizer,
} from '@petals-chat/engine'
import type { RemoteModel } from '@petals-chat/petals/client'
import type { Drafter } from '../../../packages/petals/src/drafting/drafter.ts'
import { RouteTimes } from '../../../packages/petals/src/drafting/route-times.ts'
import { openLocalLayers } from '../../../packages/petals/src/layers/local-layers.ts'
import { openTokenizer } from '../../../packages/petals/src/layers/tokenizer.ts'
import { PetalsSession } from '../../../packages/petals/src/session/petals-session.ts'
import { folderFiles } from '../../support/folder-files.ts'

const capabilities = { grammar: true, logprobs: true, promptLogprobs: true, embeddings: false }

export interface AnswerOptions {
  readonly prompt: readonly TokenId[]
  readonly count: number
  readonly sampling?: SamplingParams
  readonly createDrafter?: (() => Drafter) | undefined
  /** Called after each token. */
  readonly atToken?: ((count: number) => void | Promise<void>) | undefined
}

export interface SwarmAnswer {
  readonly ids: readonly TokenId[]
  readonly drafts: DraftCount
  readonly failovers: number
}

/** Answers of a model whose blocks a swarm runs, each in a session of its own, with the drafts that a test chooses. */
export interface SwarmAnswers extends AsyncDisposable {
  readonly tokenizer: Tokenizer
  answer(options: AnswerOptions): Promise<SwarmAnswer>
}

/** @param modelFolder - tokenizer, embeddings and LM head of the model */
export async function openSwarmAnswers(modelFolder: string, model: RemoteModel): Promise<SwarmAnswers> {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-heads-'))
  opening.defer(() => rm(folder, { recursive: true, force: true }))
  const files = folderFiles(modelFolder)
  const layers = opening.use(await openLocalLayers(files, { folder, threads: 1 }))
  const { tokenizer, vocabulary } = await openTokenizer(files, layers.architecture, undefined)
  const grammars = new TokenGrammars({ tokenizer, vocabulary })
  const resources = opening.move()

  return {
    tokenizer,
    async answer({ prompt, count, sampling = greedy, createDrafter, atToken }) {
      const maxLength = prompt.length + count
      const inference = model.openSession({ maxLength })
      await using session = new PetalsSession({
        model: { id: 'model', tokenizer, capabilities },
        maxLength,
        layers,
        grammars,
        inference,
        decodeMs: () => undefined,
        speculation: { createDrafter, times: new RouteTimes(), metrics: silentMetrics },
        onClose: () => {},
      })
      const ids: TokenId[] = []
      for await (const { token } of session.generate(prompt, { sampling, maxNewTokens: count })) {
        ids.push(token)
        await atToken?.(ids.length)
      }
      return { ids, drafts: session.drafts(), failovers: inference.failovers.length }
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
