import { scriptedTokenizer, specialToken } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import { startTestServer } from '../../fixtures/test-server.ts'
import { textOf } from '../../fixtures/v2-client.ts'

const END = specialToken('</s>')

/** Writes `answer` (texts, tokens) after the first `promptLength` tokens, then x without end. */
function writes(promptLength: number, ...answer: (string | number)[]) {
  const tokens = answer.flatMap((part) =>
    typeof part === 'number' ? [part] : scriptedTokenizer.encode(part),
  )
  return (history: readonly number[]) => tokens[history.length - promptLength] ?? 'x'.charCodeAt(0)
}

describe('the answers of an inference session', () => {
  it("serves the README's example, which sends both messages at once", async () => {
    await using server = await startTestServer()
    const client = await server.connect()
    client.send({ type: 'open_inference_session', model: 'test', max_length: 30 })
    const answers = client.generate({
      inputs: 'A cat sat on',
      max_length: 30,
      do_sample: 1,
      temperature: 0.6,
      top_p: 0.9,
    })
    const [opened, answer] = await answers.then(async (all) =>
      all.length === 1 ? [all[0], await client.next()] : all,
    )
    expect(opened).toEqual({ ok: true })
    expect(answer).toEqual({ ok: true, outputs: expect.any(String), stop: true, token_count: 18 })
  })

  it("serves the original's page: token by token to an extra stop sequence, whose token is replaced", async () => {
    const histories: number[][] = []
    const continuation = writes(10, 'Hi', END)
    await using server = await startTestServer({
      continuation: (tokens) => {
        histories.push([...tokens])
        return continuation(tokens)
      },
    })
    const client = await server.connect()
    await client.startSession(512)
    const page = {
      max_new_tokens: 1,
      stop_sequence: '#',
      extra_stop_sequences: ['</s>'],
      do_sample: 1,
      temperature: 0.001,
    }
    const answers = await client.generate({ inputs: 'Human: Hey', ...page })
    expect(answers).toEqual([
      { ok: true, outputs: 'H', stop: false, token_count: 1 },
      { ok: true, outputs: 'i', stop: false, token_count: 1 },
      { ok: true, outputs: '</s>', stop: true, token_count: 1 },
    ])
    await client.generate({ inputs: '!', max_new_tokens: 1 })
    expect(scriptedTokenizer.decode(histories.at(-1) ?? [])).toBe('Human: HeyHi#!')
  })

  it('stops at a stop sequence of several tokens', async () => {
    await using server = await startTestServer({ continuation: writes(2, 'ok### more') })
    const client = await server.connect()
    await client.startSession(100)
    const answers = await client.generate({ inputs: 'Q?', max_new_tokens: 2, stop_sequence: '###' })
    expect(answers.map(({ outputs }) => outputs)).toEqual([
      'ok',
      '##',
      '# ',
      'mo',
      're',
      ...Array(44).fill('xx'),
      undefined,
    ])
    expect(answers.at(-1)?.traceback).toMatch(/^Maximum length exceeded/)

    const other = await server.connect()
    await other.startSession(100)
    const exact = await other.generate({ inputs: 'Q?', max_new_tokens: 1, stop_sequence: '###' })
    expect(textOf(exact)).toBe('ok###')
  })

  it('refuses extra stop sequences where the stop sequence is not one token', async () => {
    await using server = await startTestServer()
    for (const stop of [{ stop_sequence: '###' }, {}]) {
      const client = await server.connect()
      await client.startSession(100)
      expect(
        await client.generate({ inputs: 'a', max_new_tokens: 1, extra_stop_sequences: ['b'], ...stop }),
      ).toEqual([
        { ok: false, traceback: 'extra_stop_sequences require stop_sequence length to be exactly 1 token' },
      ])
      expect(await client.next()).toBeUndefined()
    }
  })

  it("leaves answers alone where the model's stop token may occur in them", async () => {
    await using server = await startTestServer({
      continuation: writes(1, 'one\ntwo', END),
      specs: [{ dialogue: { stopToken: '\n', stopAtStopToken: false } }],
    })
    const client = await server.connect()
    await client.startSession(100)
    const stop = { stop_sequence: '\n', extra_stop_sequences: ['</s>'] }
    expect(textOf(await client.generate({ inputs: 'a', max_new_tokens: 1, ...stop }))).toBe('one\ntwo</s>')
  })

  it('ends a call at an end token, and goes on after it with a stop sequence', async () => {
    await using server = await startTestServer({ continuation: writes(1, 'a', END, 'b!') })
    const client = await server.connect()
    await client.startSession(100)
    expect(await client.generate({ inputs: 'Q', max_new_tokens: 10 })).toEqual([
      { ok: true, outputs: 'a</s>', stop: true, token_count: 2 },
    ])
    const other = await server.connect()
    await other.startSession(100)
    const answers = await other.generate({ inputs: 'Q', max_new_tokens: 2, stop_sequence: '!' })
    expect(answers.map(({ outputs }) => outputs)).toEqual(['a</s>', 'b!'])
  })

  it('holds text back while a character is incomplete', async () => {
    await using server = await startTestServer({ continuation: writes(1, 'é😀z.') })
    const client = await server.connect()
    await client.startSession(100)
    expect(await client.generate({ inputs: 'Q', max_new_tokens: 1, stop_sequence: '.' })).toEqual([
      { ok: true, outputs: 'é', stop: false, token_count: 2 },
      { ok: true, outputs: '😀', stop: false, token_count: 4 },
      { ok: true, outputs: 'z', stop: false, token_count: 1 },
      { ok: true, outputs: '.', stop: true, token_count: 1 },
    ])
  })

  it('holds nothing back for a broken character farther than ten characters from the end, nor at the end', async () => {
    await using server = await startTestServer({ continuation: writes(1, 0x80, '0123456789A', 0x80) })
    const client = await server.connect()
    await client.startSession(100)
    client.send({ type: 'generate', inputs: 'Q', max_new_tokens: 1, stop_sequence: '.' })
    expect(await client.next()).toEqual({
      ok: true,
      outputs: '\ufffd0123456789',
      stop: false,
      token_count: 11,
    })

    const other = await server.connect()
    await other.startSession(100)
    expect(await other.generate({ inputs: 'Q', max_new_tokens: 1 })).toEqual([
      { ok: true, outputs: '\ufffd', stop: true, token_count: 1 },
    ])
  })

  it('goes on from the last token where a call brings no inputs, on the same KV cache', async () => {
    const prefills: number[] = []
    await using server = await startTestServer({
      beforeStep: ({ step, tokens }) => void (step === 0 && prefills.push(tokens)),
    })
    const client = await server.connect()
    await client.startSession(100)
    const parts = [
      await client.generate({ inputs: 'Once upon', max_new_tokens: 5 }),
      await client.generate({ max_new_tokens: 5 }),
      await client.generate({ inputs: '', max_new_tokens: 5 }),
      await client.generate({ inputs: null, max_new_tokens: 5 }),
    ]
    const whole = await server.connect()
    await whole.startSession(100)
    expect(textOf(parts.flat())).toBe(
      textOf(await whole.generate({ inputs: 'Once upon', max_new_tokens: 20 })),
    )
    expect(prefills).toEqual([9, 1, 1, 1, 9])
  })

  it('counts max_length with all that came before, and takes 20 where no length is given', async () => {
    await using server = await startTestServer()
    const client = await server.connect()
    await client.startSession(100)
    expect((await client.generate({ inputs: 'abcdef' }))[0]).toMatchObject({ token_count: 14 })
    expect((await client.generate({ inputs: 'gh', max_length: 25 }))[0]).toMatchObject({ token_count: 3 })
    expect((await client.generate({ max_length: 25 }))[0]).toMatchObject({ token_count: 1 })
  })
})
