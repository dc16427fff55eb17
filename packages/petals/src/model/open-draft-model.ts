import {
  type LoadOptions,
  type Logger,
  type Model,
  ModelUnavailableError,
  type ModelSource,
  type Tokenizer,
} from '@petals-chat/engine'
import type { PetalsModelSpec } from '../config.ts'
import { DraftModel } from '../drafting/draft-model.ts'
import { requireSameTokens } from './draft-vocabulary.ts'

/** Loads a small model on this machine, whose guesses a swarm checks. @throws ModelUnavailableError */
export type LoadDraft = (draft: DraftSpec, options: LoadOptions) => Promise<Model>

export interface DraftSpec {
  /** Its name in logs and metrics. */
  readonly id: string
  readonly source: ModelSource
}

export interface OpenDraftOptions extends LoadOptions {
  readonly loadDraft: LoadDraft | undefined
  readonly logger: Logger
}

/** A draft model that is being loaded. */
export interface PendingDraft {
  /** Waits for it; undefined if there is none, or none that can be used. Never fails. */
  for(own: Tokenizer): Promise<DraftModel | undefined>
  /** Closes it when it is there. */
  drop(): void
}

/**
 * Starts to load the draft model of an entry. A model without its draft model is only slower: whatever is wrong with it is
 * logged, in words, and the model is used without.
 */
export function startDraftModel(
  { id, speculation: { draft } = {} }: Pick<PetalsModelSpec, 'id' | 'speculation'>,
  options: OpenDraftOptions,
): PendingDraft {
  const { loadDraft, logger, signal, onProgress } = options
  if (!draft) return none
  const refuse = (error: unknown): undefined => {
    if (signal?.aborted) return
    const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error)
    logger.warn(
      { err: error },
      `The draft model of '${id}' can't be used: ${why}. Answers come without its guesses.`,
    )
  }
  const loading = load(
    loadDraft,
    { id: `${id} (draft)`, source: draft },
    {
      signal,
      // The progress of the model itself is more interesting than that of loading a small one.
      onProgress: (progress) => progress.phase === 'download' && onProgress?.(progress),
    },
  ).catch(refuse)
  return {
    for: (own) => loading.then((model) => model && open(model, own, logger).catch(refuse)),
    drop: () => void loading.then((model) => model?.[Symbol.asyncDispose]()),
  }
}

const none: PendingDraft = { for: async () => undefined, drop: () => {} }

async function load(loadDraft: LoadDraft | undefined, spec: DraftSpec, options: LoadOptions): Promise<Model> {
  if (!loadDraft) throw new ModelUnavailableError('this program has no engine for models on this machine')
  return await loadDraft(spec, options)
}

async function open(model: Model, own: Tokenizer, logger: Logger): Promise<DraftModel> {
  try {
    await requireSameTokens(own, model.tokenizer)
    const opened = await DraftModel.open({ model, vocabularySize: own.vocabSize, logger })
    logger.info(
      { draft: model.id, tokenMs: opened.tokenMs },
      `${model.id} guesses tokens, in ${opened.tokenMs.toFixed(1)} ms each.`,
    )
    return opened
  } catch (error) {
    await model[Symbol.asyncDispose]()
    throw error
  }
}
