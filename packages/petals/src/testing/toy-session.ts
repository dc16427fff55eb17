import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  TokenGrammars,
  abortable,
  createDialogueTemplate,
  dialogueSchema,
  validateSessionLength,
  type AbortOptions,
  type Model,
  type Session,
} from '@petals-chat/engine'
import { scriptedTokenizer } from '@petals-chat/engine/testing'
import { folderFiles } from '../../../../tests/support/folder-files.ts'
import { ConnectionLostError } from '../errors.ts'
import type { InferenceSession, OpenOptions } from '../inference/inference-session.ts'
import { openLocalLayers, type LocalLayers } from '../layers/local-layers.ts'
import { safetensorsFile, toyTensor } from '../layers/testing/toy-checkpoint.ts'
import { PetalsSession } from '../session/petals-session.ts'
import { seededBits } from '../sampling/random.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { runToyBlocks, toyBlocks } from './toy-block.ts'

export const hidden = 64
export const vocabulary = scriptedTokenizer.vocabSize
export const blocks = 3

/** The blocks of a model in this process, in place of a swarm. */
export class ToyInference implements InferenceSession {
  readonly historyBytes = 0
  readonly route = []
  readonly failovers = []
  readonly pushed = false
  position = 0
  closed = false
  /** Number of tokens of each step. */
  readonly steps: number[] = []
  /** Changes the outputs of the next step, or throws its error. */
  fault: ((outputs: HiddenStates) => HiddenStates) | undefined
  readonly #blocks = toyBlocks(0, blocks, hidden)

  /** The lengths of prewarms, in tokens, and the promise that a prewarm waits for. */
  readonly opened: (number | undefined)[] = []
  opening: Promise<void> = Promise.resolve()
  aborted: unknown

  async open({ length, signal }: OpenOptions = {}): Promise<void> {
    this.opened.push(length)
    try {
      await abortable(this.opening, signal)
    } catch (error) {
      this.aborted = error
      throw error
    }
  }

  async step({ shape, data }: HiddenStates, { signal }: AbortOptions = {}): Promise<HiddenStates> {
    signal?.throwIfAborted()
    await sleep(1, undefined, { signal }).catch(() => signal?.throwIfAborted())
    if (this.closed) throw new ConnectionLostError('The session is closed.')
    const outputs = {
      shape,
      data: runToyBlocks(this.#blocks, data, hidden, this.position, 'float32'),
    }
    const changed = this.fault?.(outputs) ?? outputs
    this.position += shape[0]
    this.steps.push(shape[0])
    return changed
  }

  rewind(position: number): void {
    this.position = position
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true
  }
}

/** Gaussian weights, so that no token's logit is far above all others at every step. */
function weights(shape: readonly number[], seed: number) {
  const bits = seededBits(seed)
  const uniform = (): number => (bits() + 0.5) / 2 ** 32
  const { values } = toyTensor(shape, 0)
  return {
    shape,
    values: values.map(() => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) * 0.3),
  }
}

/** Tokens below 256 are bytes. */
const vocabularyOfBytes = {
  size: vocabulary,
  bytesOf: (token: number) => (token < 256 ? Uint8Array.of(token) : undefined),
}
const grammars = new TokenGrammars({ tokenizer: scriptedTokenizer, vocabulary: vocabularyOfBytes })

let folder: string
let layers: LocalLayers
/** Those of all sessions, the latest last. */
export const inferences: ToyInference[] = []

/** Opens sessions over the toy blocks, on the layers of `openToyLayers`. */
export class ToyModel implements Model {
  readonly id = 'toy'
  readonly contextLength = 512
  readonly tokenizer = scriptedTokenizer
  readonly chatTemplate = createDialogueTemplate(dialogueSchema.parse({}))
  readonly capabilities = { grammar: true, logprobs: true, promptLogprobs: true, embeddings: false }
  open = 0

  async openSession({ maxLength, signal }: AbortOptions & { readonly maxLength: number }): Promise<Session> {
    signal?.throwIfAborted()
    validateSessionLength(maxLength, this.contextLength)
    const inference = new ToyInference()
    inferences.push(inference)
    this.open++
    return new PetalsSession({
      model: this,
      maxLength,
      layers,
      grammars,
      inference,
      decodeMs: () => undefined,
      onClose: () => this.open--,
    })
  }
  async status() {
    return { state: 'ready' } as const
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Makes the layers of all sessions of a test file. */
export async function openToyLayers(): Promise<void> {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-session-'))
  const model = path.join(folder, 'model')
  await mkdir(model)
  await writeFile(
    path.join(model, 'config.json'),
    JSON.stringify({
      model_type: 'llama',
      vocab_size: vocabulary,
      hidden_size: hidden,
      num_hidden_layers: blocks,
    }),
  )
  await writeFile(
    path.join(model, 'model.safetensors'),
    safetensorsFile({
      'model.embed_tokens.weight': weights([vocabulary, hidden], 1),
      'model.norm.weight': weights([hidden], 2),
      'lm_head.weight': weights([vocabulary, hidden], 3),
    }),
  )
  layers = await openLocalLayers(folderFiles(model), { folder: path.join(folder, 'heads'), threads: 1 })
}

export async function closeToyLayers(): Promise<void> {
  await layers[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
}

export const prompt = scriptedTokenizer.encode('Once upon a time')

export async function open(maxLength = 128) {
  const model = new ToyModel()
  const session = await model.openSession({ maxLength })
  return { model, session, inference: inferences.at(-1)! }
}

export async function take(session: Session, tokens: readonly number[], count: number): Promise<number[]> {
  const taken: number[] = []
  for await (const { token } of session.generate(tokens, { sampling: { temperature: 0 } })) {
    if (taken.push(token) === count) break
  }
  return taken
}

/** Returns all logits of the toy model after these tokens, by plain arithmetic on all positions at once. */
export function logitsAfter(tokens: readonly number[]): Promise<number[]> {
  const { data } = layers.embed(tokens)
  const outputs = runToyBlocks(toyBlocks(0, blocks, hidden), data, hidden, 0, 'float32')
  const last = { shape: [1, hidden] as const, data: outputs.subarray(-hidden) }
  return layers
    .logits(last)
    .then(([logits]) => Array.from({ length: vocabulary }, (_, token) => logits!.exact(token)))
}
