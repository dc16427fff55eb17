import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidRequestError } from '../../errors.ts'
import { GbnfSampler } from '../../testing/gbnf-sampler.ts'
import {
  independentValidator,
  randomSchemas,
  seededRandom,
  type Schema,
} from '../../../../../tests/support/random-schemas.ts'
import { grammarSource } from '../grammar-source.ts'

const ajv = independentValidator()

const runs = 300

describe('answers of the grammar of a schema', () => {
  it('fit the schema', () => {
    let compiled = 0
    fc.assert(
      fc.property(randomSchemas, fc.nat(), (schema, seed) => {
        const source = sourceOf(schema)
        if (source === undefined) return
        compiled++
        const validate = ajv.compile(schema)
        const sampler = new GbnfSampler(source)
        const random = seededRandom(seed)
        for (let count = 0; count < 5; count++) {
          const text = sampler.sample(random)
          const value = JSON.parse(text) as unknown
          if (!validate(value))
            expect.fail(`${text} of ${JSON.stringify(schema)}: ${ajv.errorsText(validate.errors)}`)
        }
      }),
      { numRuns: runs },
    )
    expect(compiled).toBeGreaterThan(runs / 4)
  })
})

/** Returns undefined for schemas that are refused: they contradict themselves, or can't be enforced. */
function sourceOf(schema: Schema): string | undefined {
  try {
    return grammarSource({ type: 'json-schema', schema })
  } catch (error) {
    if (error instanceof InvalidRequestError) return undefined
    throw error
  }
}
