import { z } from 'zod'
import type { Offer } from './server.ts'

const item = z.looseObject({ id: z.string().min(1).max(500) })
/** Ollama without models has null. Together has a bare list. */
const listSchema = z.union([
  z.object({ data: z.array(z.unknown()).nullable() }).transform(({ data }) => data ?? []),
  z.array(z.unknown()),
])
const lengthSchema = z.int().positive()

/** The models of a list; undefined if it is none. What is wrong with one of them, or with its length, leaves the others. */
export function readList(body: unknown): ReadonlyMap<string, Offer> | undefined {
  const { data: list } = listSchema.safeParse(body)
  const offers = list?.flatMap((each) => offerOf(each) ?? [])
  if (offers === undefined || (list!.length > 0 && offers.length === 0)) return undefined
  return new Map(offers.map((offer) => [offer.name, offer]))
}

function offerOf(each: unknown): Offer | undefined {
  const { data: model } = item.safeParse(each)
  return model && { name: model.id, contextLength: lengthOf(model) }
}

/** The first length that is one. */
function lengthOf(model: Readonly<Record<string, unknown>>): number | undefined {
  const { meta } = model
  const { n_ctx, n_ctx_train } =
    typeof meta === 'object' && meta !== null ? (meta as Record<string, unknown>) : {}
  return [
    // vLLM, SGLang, Petals Chat.
    model['max_model_len'],
    // OpenRouter, LM Studio, Together.
    model['context_length'],
    model['max_context_length'],
    // Groq.
    model['context_window'],
    // llama-server.
    n_ctx,
    n_ctx_train,
  ].find((value) => lengthSchema.safeParse(value).success) as number | undefined
}
