import { z } from 'zod'

/** Text of a client. Lone surrogates, which no tokenizer accepts, become U+FFFD. */
export const text = z.string().overwrite((value) => value.toWellFormed())

/** A token id. The model sets the upper bound, which is checked once the model is known. */
export const tokenId = z.int().min(0)

export const tokenIds = z.array(tokenId).min(1)

/** An object that is passed on unchanged, such as a JSON schema. */
export const jsonObject = z.record(z.string(), z.unknown())

/** A field that must be null: some clients write every field of an object. */
export const onlyNull = z.null().optional().describe('Must be null.')

/** A field that is accepted and has no effect on the answer. */
export const ignored = (description: string) =>
  z.unknown().optional().describe(`${description} Accepted and ignored.`)
