import { z } from 'zod'

/** Text as a client sent it; half surrogate pairs, which no tokenizer can take, become U+FFFD. */
export const text = z.string().overwrite((value) => value.toWellFormed())

/** The upper bound of token ids is the model's affair, and checked once the model is known. */
export const tokenId = z.int().min(0)

export const tokenIds = z.array(tokenId).min(1)

/** An object that is passed on as it is: a JSON schema. */
export const jsonObject = z.record(z.string(), z.unknown())

/** A field that says nothing, as clients write whole objects with all of their fields. */
export const onlyNull = z.null().optional().describe('Only null.')

/** A field of OpenAI's API that has no bearing on the answer here. */
export const ignored = (description: string) =>
  z.unknown().optional().describe(`${description} Accepted and ignored.`)
