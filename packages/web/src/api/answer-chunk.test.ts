import { describe, expect, it } from 'vitest'
import { parseAnswerChunk } from './answer-chunk.ts'
import { ApiError } from './errors.ts'

const parse = (body: unknown, id?: string) =>
  parseAnswerChunk({ event: 'message', data: JSON.stringify(body), id })

describe('parseAnswerChunk', () => {
  it('reads text, thoughts and the position after them', () => {
    const delta = { content: 'Hi', reasoning_content: 'Hm' }
    expect(parse({ choices: [{ delta, finish_reason: null }], usage: null }, 'ans_a:7')).toMatchObject({
      text: 'Hi',
      reasoning: 'Hm',
      finishReason: undefined,
      usage: undefined,
      position: { answerId: 'ans_a', eventId: 'ans_a:7' },
    })
  })

  it('reads how an answer ended, and its usage', () => {
    const timings = { prompt_ms: 4273.1, predicted_per_second: 21.9 }
    expect(parse({ choices: [{ delta: {}, finish_reason: 'length' }], timings })).toMatchObject({
      finishReason: 'length',
      timings: { timeToFirstTokenMs: 4273.1, tokensPerSecond: 21.9 },
      position: undefined,
    })
    const usage = { prompt_tokens: 21, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 3 } }
    expect(parse({ choices: [], usage }).usage).toEqual({
      promptTokens: 21,
      cachedTokens: 3,
      completionTokens: 5,
    })
  })

  it('reads calls of tools, as they are written', () => {
    const part = (delta: unknown) => parse({ choices: [{ delta, finish_reason: null }] }).calls
    const begun = { index: 0, id: 'c', type: 'function', function: { name: 'add', arguments: '' } }
    expect(part({ tool_calls: [begun] })).toEqual([{ index: 0, id: 'c', name: 'add', arguments: '' }])
    expect(part({ tool_calls: [{ index: 1, function: { arguments: '{"a' } }, 'x', {}] })).toEqual([
      { index: 1, id: undefined, name: '', arguments: '{"a' },
      { index: 1, id: undefined, name: '', arguments: '' },
    ])
    expect(part({ content: 'Hi' })).toBeUndefined()
    expect(parse({ choices: [{ delta: {}, finish_reason: 'tool_calls' }] }).finishReason).toBe('tool_calls')
  })

  it('reads what an answer waits for, and that it continues', () => {
    const blocks = [{ start: 12, end: 24 }]
    expect(parse({ choices: [], petals: { waiting: { blocks, since: 1.5, until: 121.5 } } })).toMatchObject({
      text: '',
      waiting: { blocks, since: 1500, until: 121_500 },
    })
    expect(parse({ choices: [], petals: { waiting: null } }).waiting).toBeNull()
    for (const waiting of [undefined, 5, {}, { blocks: 3, since: 'x' }])
      expect(parse({ choices: [], petals: { waiting } }).waiting).toBeUndefined()
  })

  it('reads the place of the answer in the queue', () => {
    expect(parse({ choices: [], petals: { queue: { place: 3 } } }).place).toBe(3)
    expect(parse({ choices: [], petals: { queue: null } }).place).toBeNull()
    for (const queue of [undefined, 5, {}, { place: 'x' }])
      expect(parse({ choices: [], petals: { queue } }).place).toBeUndefined()
  })

  it('reads which model stands in for the one that was asked for, and why', () => {
    const fallback = { model: 'big', reason: 'No server holds block 3.' }
    expect(parse({ model: 'small', choices: [], petals: { fallback } }).standIn).toEqual({
      model: 'small',
      reason: 'No server holds block 3.',
    })
    expect(parse({ model: 'small', choices: [], petals: { fallback: 5 } }).standIn).toBeUndefined()
    expect(parse({ choices: [], petals: { fallback } }).standIn).toBeUndefined()
  })

  it('reads the route through a swarm', () => {
    const left = { peer: 'A', public_name: 'cellar', start: 4, end: 8 }
    const route = {
      hops: [
        { peer: 'B', start: 0, end: 4, step_ms: 1.5, standby: { peer: 'D', position: 9 } },
        { peer: 'C', public_name: 'attic', start: 4, end: 8 },
      ],
      failovers: [
        {
          ...left,
          reason: 'reset',
          pause_ms: 412,
          replaced_by: [{ peer: 'C', public_name: 'attic' }],
          by_standby: true,
          position: 9,
          precision: { before: 'F32', after: 'Q8_0' },
        },
      ],
      pushed: true,
      tokens_per_step: 2.1,
    }
    expect(parse({ choices: [], petals: { route } }).route).toEqual({
      hops: [
        {
          peer: 'B',
          publicName: undefined,
          start: 0,
          end: 4,
          stepMs: 1.5,
          standby: { peer: 'D', publicName: undefined },
        },
        { peer: 'C', publicName: 'attic', start: 4, end: 8, stepMs: undefined },
      ],
      failovers: [
        {
          peer: 'A',
          publicName: 'cellar',
          start: 4,
          end: 8,
          reason: 'reset',
          pauseMs: 412,
          replacedBy: [{ peer: 'C', publicName: 'attic' }],
          byStandby: true,
          precision: { before: 'F32', after: 'Q8_0', position: 9 },
        },
      ],
      pushed: true,
      tokensPerStep: 2.1,
    })
  })

  it.each([
    null,
    [],
    1,
    {},
    { choices: 'x' },
    { choices: [null] },
    { choices: [{ delta: { content: 5 } }], usage: 3, timings: [], petals: { route: { hops: {} } } },
  ])('makes nothing of %j', (body) => expect(parse(body)).toMatchObject({ text: '', reasoning: '' }))

  it('throws the error that the server reports', () => {
    const error = { message: 'It broke.', code: 'generation_failed' }
    expect(() => parse({ error })).toThrow(ApiError)
    expect(() => parse({ error })).toThrow('It broke.')
    expect(() => parseAnswerChunk({ event: 'message', data: '{', id: undefined })).toThrow('not JSON')
  })
})
