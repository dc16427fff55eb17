import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  modelSpecSchema,
  ModelUnavailableError,
  silentLogger,
  type LoadOptions,
  type LoadProgress,
  type Tokenizer,
} from '@petals-chat/engine'
import { closeToyLayers, openToyLayers, ToyModel } from '../fixtures/toy-session.ts'
import { startDraftModel, type LoadDraft } from './open-draft-model.ts'

beforeAll(openToyLayers)
afterAll(closeToyLayers)

const { source } = modelSpecSchema.parse({ id: 'x', engine: 'llama', source: 'hf:owner/repo/small.gguf' })
const spec = { id: 'large', speculation: { draft: source } }
const { tokenizer } = new ToyModel()

function start(loadDraft: LoadDraft | undefined, options: LoadOptions = {}) {
  const [warn, closed] = [vi.fn(), vi.fn()]
  const pending = startDraftModel(spec, { loadDraft, logger: { ...silentLogger, warn }, ...options })
  return { pending, warn, closed, said: () => warn.mock.calls.map(([, message]) => message as string) }
}

const toyThatCloses = (closed: () => void): ToyModel =>
  Object.assign(new ToyModel(), { [Symbol.asyncDispose]: async () => closed() })

describe('startDraftModel', () => {
  it('loads the model of the entry while others load, and knows at once how fast it is', async () => {
    const load = vi.fn<LoadDraft>(async () => new ToyModel())
    const { pending, warn } = start(load)
    expect(load).toHaveBeenCalledOnce()
    expect(load.mock.calls[0]![0]).toEqual({ id: 'large (draft)', source })
    const draft = await pending.for(tokenizer)
    expect(draft!.tokenMs).toBeGreaterThan(0)
    expect(warn).not.toHaveBeenCalled()
  })

  it('does nothing for an entry without one', async () => {
    const load = vi.fn<LoadDraft>()
    const pending = startDraftModel({ id: 'large' }, { loadDraft: load, logger: silentLogger })
    expect(await pending.for(tokenizer)).toBeUndefined()
    expect(load).not.toHaveBeenCalled()
  })

  it('says in words why it can not be used, and fails nothing', async () => {
    const failing = start(async () => {
      throw new ModelUnavailableError('small.gguf can’t be downloaded.')
    })
    expect(await failing.pending.for(tokenizer)).toBeUndefined()
    expect(failing.said()).toEqual([
      "The draft model of 'large' can't be used: small.gguf can’t be downloaded. Answers come without its guesses.",
    ])
    const without = start(undefined)
    expect(await without.pending.for(tokenizer)).toBeUndefined()
    expect(without.said()[0]).toContain('no engine for models on this machine')
  })

  it('refuses another vocabulary by the first id that differs, and closes the model', async () => {
    const closed = vi.fn()
    const { pending, said } = start(async () => toyThatCloses(closed))
    const own: Tokenizer = {
      ...tokenizer,
      vocabSize: tokenizer.vocabSize,
      decode: (tokens) => (tokens[0] === 98 ? 'β' : tokenizer.decode(tokens)),
    }
    expect(await pending.for(own)).toBeUndefined()
    expect(said()[0]).toContain('token 98 is "b" there, and "β" in the model')
    expect(closed).toHaveBeenCalledOnce()
  })

  it('closes a model that is not wanted any more when it comes', async () => {
    const closed = vi.fn()
    const { pending } = start(async () => {
      await sleep(5)
      return toyThatCloses(closed)
    })
    pending.drop()
    await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce())
  })

  it('shows its download, and says nothing where the load was given up', async () => {
    const shown: LoadProgress[] = []
    const controller = new AbortController()
    const { pending, warn } = start(
      async (_draft, { onProgress, signal }) => {
        onProgress?.({ phase: 'download', label: 'small.gguf', done: 1, total: 2, unit: 'bytes' })
        onProgress?.({ phase: 'load', label: 'small.gguf', done: 1, total: 2, unit: 'percent' })
        controller.abort(new Error('enough'))
        signal?.throwIfAborted()
        return new ToyModel()
      },
      { signal: controller.signal, onProgress: (progress) => shown.push(progress) },
    )
    expect(await pending.for(tokenizer)).toBeUndefined()
    expect(shown.map(({ phase }) => phase)).toEqual(['download'])
    expect(warn).not.toHaveBeenCalled()
  })
})
