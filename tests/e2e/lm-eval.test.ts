import { chatResponseSchema, completionResponseSchema } from '@petals-chat/api'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { callsOf } from '../clients/calls-of.ts'
import { type LmEvalRequest, lmEvalScores, type Post, replayLmEval } from '../support/lm-eval.ts'
import { withDefaultModel, startPetalsChat, type PetalsChat } from './support/petals-chat.ts'

let server: PetalsChat

beforeAll(async () => {
  server = await startPetalsChat({ env: await withDefaultModel() })
})
afterAll(() => server[Symbol.asyncDispose]())

const post: Post = (path, body, headers) =>
  fetch(`${server.url}${path}`, { method: 'POST', body: JSON.stringify(body), headers })

describe('what lm-eval sends', () => {
  const holds = callsOf('lm-eval', import.meta.url)

  holds('tokens')('gets the tokens of Hugging Face’s tokenizer', async () => {
    const texts: unknown[] = []
    for await (const [{ body, tokens }, answer] of replayLmEval(post, ({ tokens }) => !!tokens)) {
      expect(answer).toMatchObject({ tokens })
      texts.push(body.prompt)
    }
    expect(texts).toContain('<|im_end|>')
    const info: unknown = await (await fetch(`${server.url}/tokenizer_info`)).json()
    expect(info).toMatchObject({ eos_token: '<|im_end|>' })
  })

  holds('scores')('gets the log likelihoods that transformers computes from the same weights', async () => {
    const scores = await lmEvalScores(post)
    expect(scores.length).toBe(16)
    // Activations are 8 bits wide here. The sums reach from -15 to -55.
    for (const { ours, reference } of scores) expect(Math.abs(ours / reference - 1)).toBeLessThan(0.03)
  })

  holds('text', 'chat')('gets texts and answers', async () => {
    const texts: (string | null)[] = []
    const generates = ({ path, body }: LmEvalRequest) => path.endsWith('completions') && !body.echo
    for await (const [{ path }, answer] of replayLmEval(post, generates))
      texts.push(
        ...(path === '/v1/completions'
          ? completionResponseSchema.parse(answer).choices.map(({ text }) => text)
          : chatResponseSchema.parse(answer).choices.map(({ message }) => message.content)),
      )
    expect(texts.length).toBe(8)
    expect(texts.join('\n')).toMatch(/Paris/)
    for (const text of texts) expect(text).not.toMatch(/\n|<\|im_end/)
  })
})
