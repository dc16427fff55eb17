import { expect, it } from 'vitest'
import { KeptAnswerServer } from '../testing/kept-answer-server.ts'
import { limitStreams } from './limit-streams.ts'

const request = { model: 'm', messages: [] }

async function read(stream: AsyncIterable<{ readonly text: string }>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk.text
  return text
}

it('lets a few answers stream at once, and the others one after another', async () => {
  const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<void>())
  const scripts = gates.map((gate, index) => ({ words: [`${index}`], pace: () => gate.promise }))
  const server = new KeptAnswerServer(...scripts)
  const client = limitStreams(server, 2)
  const aborts = gates.map(() => new AbortController())
  const answers = aborts.map(({ signal }) => read(client.request(request, { signal })))
  await expect.poll(() => server.requests.length).toBe(2)
  // Aborted while it waits: it must not take a slot later.
  aborts[2]!.abort(new Error('stopped'))
  await expect(answers[2]).rejects.toThrow('stopped')
  gates[0]!.resolve()
  expect(await answers[0]).toBe('0')
  await expect.poll(() => server.requests.length).toBe(3)
  gates[1]!.resolve()
  gates[2]!.resolve()
  expect(await answers[1]).toBe('1')
  expect(await answers[3]).toBe('2')
  const { signal } = new AbortController()
  expect(await read(client.resume({ answerId: 'ans_1', eventId: 'ans_1:0' }, { signal }))).toBe('0')
})
