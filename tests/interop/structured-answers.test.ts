import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { InvalidRequestError, TokenGrammars, type Tokenizer, type Vocabulary } from '@petals-chat/engine'
import { independentValidator, randomSchemas, seededRandom, type Schema } from '../support/random-schemas.ts'
import { createSampler } from '../../packages/petals/src/sampling/sampler.ts'
import { ExactLogits, SelectedLogits } from '../../packages/petals/src/tensor/logits.ts'
import { ensureModel, findModel } from '../../swarm/models.ts'
import { openFolderTokenizer } from './support/folder-tokenizer.ts'

/** SmolLM2 has byte-level BPE, stories15M has the vocabulary of Llama 2 (SentencePiece). */
describe.each(['SmolLM2-135M-Instruct', 'stories15M'])('answers in tokens of %s', (name) => {
  let tokenizer: Tokenizer
  let vocabulary: Vocabulary
  let grammars: TokenGrammars
  let noise: Float32Array
  /** Tokens by which texts, lists and objects end: without them, random texts would not. */
  let closing: readonly number[]

  beforeAll(async () => {
    ;({ tokenizer, vocabulary } = await openFolderTokenizer(await ensureModel(findModel(name))))
    grammars = new TokenGrammars({ tokenizer, vocabulary })
    const random = seededRandom(7)
    noise = Float32Array.from({ length: 2 * tokenizer.vocabSize }, () => 6 * (random() + random() + random()))
    const ends = ['"', '}', ']', '"}', '"]', '}}', ']}']
    closing = [...tokenizer.eosTokens, ...ends.map((text) => tokenizer.encode(text).at(-1)!)]
  })

  /** Draws an answer by random logits; undefined if it does not end in time. */
  function draw(schema: Schema, seed: number): string | undefined {
    const matcher = grammars.matcher({ type: 'json-schema', schema })
    const random = seededRandom(seed)
    const params = { temperature: 0.2 + 2 * random(), topP: 0.95, topK: 500, repetitionPenalty: 1.05 }
    const sampler = createSampler(params, seed)
    const tokens: number[] = []
    while (tokens.length < 120) {
      const start = Math.floor(random() * tokenizer.vocabSize)
      const values = noise.slice(start, start + tokenizer.vocabSize)
      for (const token of closing) values[token]! += tokens.length
      const allowed = matcher.allowed()
      const logits = new SelectedLogits(new ExactLogits(values), allowed)
      const token = sampler.sample(logits, { tokens, answerStart: 0 }, allowed)
      const next = [token]
      matcher.accept(token)
      for (const forced of matcher.forced(20)) {
        expect(matcher.allowed()).toContain(forced)
        matcher.accept(forced)
        next.push(forced)
      }
      if (next.some((each) => tokenizer.eosTokens.has(each)))
        return tokenizer.decode([...tokens, ...next.slice(0, -1)])
      tokens.push(...next)
    }
    return undefined
  }

  it('fit their schema, whatever the model prefers', () => {
    const ajv = independentValidator()
    let compared = 0
    fc.assert(
      fc.property(randomSchemas, fc.nat(), (schema, seed) => {
        let text: string | undefined
        try {
          text = draw(schema, seed)
        } catch (error) {
          if (error instanceof InvalidRequestError) return // a schema that contradicts itself
          throw error
        }
        if (text === undefined) return
        const validate = ajv.compile(schema)
        if (!validate(JSON.parse(text)))
          expect.fail(`${text} of ${JSON.stringify(schema)}: ${ajv.errorsText(validate.errors)}`)
        compared++
      }),
      { numRuns: 20 },
    )
    expect(compared).toBeGreaterThan(4)
  })

  it('are divided as the tokenizer divides them where only one text fits', () => {
    const key = 'shipping_address_line_1'
    const matcher = grammars.matcher({ type: 'gbnf', source: `root ::= "{\\"${key}\\":" [0-9] "}"` })
    const forced = matcher.forced(50)
    const canonical = tokenizer.encode(`\n{"${key}":`).slice(-forced.length - 1, -1)
    expect(forced.length).toBeGreaterThan(3)
    expect(forced).toEqual(canonical)
  })
})
