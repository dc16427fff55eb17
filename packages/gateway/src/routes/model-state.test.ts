import { ModelUnavailableError } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import {
  createTestGateway,
  eventually,
  type LogRecord,
  readJson,
  recordingLogger,
  type TestGateway,
} from '../fixtures/test-gateway.ts'

const generate = '/api/v1/generate?inputs=a&max_new_tokens=1'

/** What both lists of models say of the first one, in the words of the config. */
async function statesOf({ app }: TestGateway) {
  const [openai, legacy] = await Promise.all(
    ['/v1/models', '/api/v1/models'].map(async (path) => readJson(await app.request(path))),
  )
  const { state, state_detail: detail, progress } = openai.data[0]
  expect(legacy.models[0].state).toEqual(JSON.parse(JSON.stringify({ state, detail, progress })))
  return { state, detail, progress }
}

describe('the state of a model in the lists', () => {
  it('has the progress of its load, live, and asks nothing of the engine', async () => {
    const loaded = Promise.withResolvers<void>()
    let report: (done: number) => void = () => {}
    await using test = createTestGateway({
      beforeLoad: (_spec, { onProgress }) => {
        report = (done) =>
          onProgress?.({ phase: 'download', label: 'model.gguf', done, total: 100, unit: 'bytes' })
        return loaded.promise
      },
    })
    expect(await statesOf(test)).toEqual({ state: 'idle' })
    const answer = test.app.request(generate)
    await eventually(() => test.engine.loads === 1)
    for (const done of [1, 60, 100]) {
      report(done)
      expect(await statesOf(test)).toEqual({
        state: 'loading',
        progress: { phase: 'download', label: 'model.gguf', done, total: 100, unit: 'bytes' },
      })
    }
    loaded.resolve()
    expect((await answer).status).toBe(200)
    expect(await statesOf(test)).toMatchObject({ state: 'ready' })
    expect(test.engine).toMatchObject({ loads: 1, steps: 1 })
  })

  it('names files, not folders of the server, also where it is an error; the log has the path', async () => {
    const records: LogRecord[] = []
    const error = new ModelUnavailableError('There is no file or folder /srv/private/llama.gguf.')
    await using test = createTestGateway({
      beforeLoad: () => Promise.reject(error),
      logger: recordingLogger(records),
    })
    const refusals = await Promise.all(
      [generate, '/v1/models/test', '/ready'].map(async (path) => (await test.app.request(path)).text()),
    )
    expect(refusals.join()).not.toContain('/srv')
    expect(refusals[0]).toContain('There is no file or folder llama.gguf.')
    expect(await statesOf(test)).toEqual({
      state: 'unavailable',
      detail: 'There is no file or folder llama.gguf.',
    })
    expect(JSON.stringify((await readJson(await test.app.request('/ready'))).error)).toContain(
      'folder llama.gguf',
    )
    expect(records.some(({ fields }) => String(fields['err']).includes('/srv/private/llama.gguf'))).toBe(true)
  })

  it.each([
    ['fails', () => Promise.reject(new Error('secret of the engine'))],
    ['says nothing', () => new Promise<never>(() => {})],
  ])('is unavailable where its engine %s, and the others are still listed', async (_name, status) => {
    await using test = createTestGateway({
      specs: [{ id: 'test' }, { id: 'other' }],
      status: status as never,
    })
    await test.app.request(generate)
    expect(await statesOf(test)).toEqual({
      state: 'unavailable',
      detail: "The engine of 'test' did not report the model's state. Try again.",
    })
    const { data } = await readJson(await test.app.request('/v1/models'))
    expect(data[1]).toMatchObject({ id: 'other', state: 'idle' })
    expect((await test.app.request('/ready')).status).toBe(503)
  })
})
