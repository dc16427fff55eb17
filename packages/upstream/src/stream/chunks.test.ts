import { describe, expect, it } from 'vitest'
import { readChunk as read } from './chunks.ts'
import { StreamFault } from './event-reader.ts'

const readChunk = (event: unknown) => read(event, 'chat')
const readCompletion = (event: unknown) => read(event, 'completion')
const choice = (fields: object) => ({ choices: [{ index: 0, ...fields }] })

describe('readChunk', () => {
  it('reads the fields of the API, and no others', () => {
    const call = { index: 0, id: 'c', function: { name: 'f', arguments: '{}' }, type: 'function' }
    const read = readChunk({
      id: 'x',
      ...choice({ delta: { role: 'assistant', content: 'a', tool_calls: [call] }, stop_reason: 7, more: 1 }),
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    })
    expect(read).toEqual({
      choices: [
        {
          index: 0,
          stop_reason: 7,
          message: {
            content: 'a',
            tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: '{}' } }],
          },
        },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 2 },
    })
  })

  it('takes null, and what is missing, for what a server does not have', () => {
    const nothing = { delta: null, message: null, text: null, logprobs: null, finish_reason: null }
    expect(readChunk({ ...choice(nothing), usage: null }).choices).toHaveLength(1)
    expect(readChunk({ choices: null })).toEqual({ choices: [] })
    expect(readChunk({})).toEqual({ choices: [] })
  })

  it('reads both forms of log probabilities', () => {
    const token = { token: 'a', logprob: -1, bytes: [97] }
    expect(readChunk(choice({ logprobs: { content: [token] } })).choices[0]!.logprobs).toEqual({
      content: [{ ...token, top_logprobs: [] }],
    })
    const columns = { tokens: ['a'], token_logprobs: [-1], top_logprobs: null }
    expect(readChunk(choice({ logprobs: columns })).choices[0]!.logprobs).toEqual(columns)
  })

  it.each([
    null,
    'text',
    [],
    { choices: 'none' },
    { choices: [null] },
    { choices: ['text'] },
    choice({ index: '0' }),
    choice({ finish_reason: 1 }),
    choice({ stop_reason: {} }),
    choice({ delta: 'text' }),
    choice({ delta: { content: 1 } }),
    choice({ delta: { content: [{ type: 'text' }] } }),
    choice({ delta: { reasoning: {} } }),
    choice({ delta: { tool_calls: {} } }),
    choice({ delta: { tool_calls: [{ index: 1001 }] } }),
    choice({ message: { refusal: 1 } }),
    choice({ logprobs: { content: [{ token: 1 }] } }),
    { choices: [], usage: { prompt_tokens: -1 } },
    { choices: [], usage: 'much' },
  ])('refuses %j', (event) => {
    expect(() => readChunk(event)).toThrow(StreamFault)
  })

  it('ignores what the other kind of answers has', () => {
    expect(readChunk(choice({ text: 1 })).choices).toEqual([{ index: 0 }])
    expect(readCompletion(choice({ text: 'a', delta: 'b', message: 'c' })).choices).toEqual([
      { index: 0, text: 'a' },
    ])
    expect(() => readCompletion(choice({ text: 1 }))).toThrow(StreamFault)
  })

  it('takes the whole message of a server that does not stream', () => {
    const message = { content: 'a' }
    expect(readChunk(choice({ message })).choices).toEqual([{ index: 0, message }])
    expect(readChunk(choice({ delta: null, message })).choices).toEqual([{ index: 0, message }])
  })
})
