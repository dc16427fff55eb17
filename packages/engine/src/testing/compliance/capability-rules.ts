import assert from 'node:assert/strict'
import type { Grammar, Session } from '../../engine.ts'
import { InvalidRequestError } from '../../errors.ts'
import type { TokenId } from '../../tokenizer.ts'
import { expectError, expectInvalid } from './expect-error.ts'
import { logprobRules } from './logprob-rules.ts'
import { onSession, take, type ComplianceContext } from './subject.ts'

const schema = {
  type: 'object',
  properties: { city: { enum: ['Paris', 'Rome'] }, big: { type: 'boolean' } },
  required: ['city', 'big'],
  additionalProperties: false,
}

/** Generates under a grammar until an end token. */
async function answerOf(
  { model }: ComplianceContext,
  session: Session,
  prompt: readonly TokenId[],
  grammar: Grammar,
): Promise<string> {
  const { tokenizer } = model()
  const answer: TokenId[] = []
  for await (const { token } of session.generate(prompt, { sampling: { temperature: 0 }, grammar })) {
    if (tokenizer.eosTokens.has(token)) break
    answer.push(token)
  }
  return tokenizer.decode(answer)
}

export function capabilityRules(context: ComplianceContext): void {
  const { rule, model, prompts } = context

  rule('obeys a JSON schema, or refuses it', async () => {
    const [prompt = []] = prompts()
    const grammar: Grammar = { type: 'json-schema', schema }
    await onSession(model(), async (session) => {
      if (!model().capabilities.grammar) {
        await expectInvalid(() => take(session, prompt, 1, { grammar }), 'grammar')
        return
      }
      const answer = JSON.parse(await answerOf(context, session, prompt, grammar)) as Record<string, unknown>
      assert.deepEqual(Object.keys(answer).sort(), ['big', 'city'])
      assert.ok(answer.city === 'Paris' || answer.city === 'Rome')
      assert.equal(typeof answer.big, 'boolean')
    })
  })

  rule('embeds and scores if its capabilities say so, else refuses', async () => {
    const [prompt = []] = prompts()
    const { embeddings, promptLogprobs } = model().capabilities
    if (embeddings) assert.equal(typeof model().embed, 'function')
    else if (model().embed) await expectError(() => model().embed!(prompt), InvalidRequestError)
    await onSession(model(), async (session) => {
      if (promptLogprobs) assert.equal(typeof session.score, 'function')
      else if (session.score) await expectError(() => session.score!(prompt), InvalidRequestError)
    })
  })

  logprobRules(context)
  embeddingRules(context)
}

function embeddingRules({ rule, model, prompts }: ComplianceContext): void {
  rule('embeds texts as unit vectors, equal for equal texts', async () => {
    if (!model().capabilities.embeddings) return
    const [text = [], other = []] = prompts()
    const embed = (tokens: readonly number[]) => model().embed!(tokens)
    const [first, again, different] = [await embed(text), await embed(text), await embed(other)]
    assert.ok(Math.abs(Math.hypot(...first) - 1) < 1e-3, 'L2 norm 1')
    assert.equal(different.length, first.length)
    assert.ok(cosine(first, again) > 0.999)
    assert.ok(cosine(first, different) < 0.999)
    await expectInvalid(() => embed([]), 'input')
    await expectInvalid(() => embed([model().tokenizer.vocabSize]), 'input')
  })
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * b[index]!, 0)
}
