import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const requestSchema = z.object({
  path: z.string(),
  body: z.looseObject({ prompt: z.unknown().optional(), echo: z.boolean().optional() }),
  /** Of `/tokenize`: the ids of Hugging Face's tokenizer. */
  tokens: z.array(z.int()).optional(),
  /** Of `echo`: the log probability of each token of each prompt but the first, by transformers from the same weights. */
  logprobs: z.array(z.array(z.number())).optional(),
})

const recordingSchema = z.object({
  headers: z.record(z.string(), z.string()),
  requests: z.array(requestSchema),
})

/** A request of lm-eval, with what another program finds. */
export type LmEvalRequest = z.output<typeof requestSchema>

/** Sends JSON. */
export type Post = (path: string, body: unknown, headers: Record<string, string>) => Promise<Response>

const completionSchema = z.object({
  choices: z.array(
    z.object({ index: z.int(), logprobs: z.object({ token_logprobs: z.array(z.number().nullable()) }) }),
  ),
})

/**
 * What lm-eval 0.4.13 sent for the tasks of `examples/lm-eval` to the default model of this server, with the tokenizer
 * of the server, as pairs of requests and parsed answers of `post`.
 */
export async function* replayLmEval(
  post: Post,
  wanted: (request: LmEvalRequest) => boolean,
): AsyncGenerator<readonly [LmEvalRequest, unknown]> {
  const text = await readFile(new URL('lm-eval.json', import.meta.url), 'utf8')
  const { headers, requests } = recordingSchema.parse(JSON.parse(text))
  for (const request of requests.filter(wanted)) {
    const response = await post(request.path, request.body, headers)
    const answer = await response.text()
    if (!response.ok) throw new Error(`${request.path} answered ${response.status}: ${answer}`)
    yield [request, JSON.parse(answer)]
  }
}

/**
 * Scores the prompts of the wanted requests as lm-eval reads them: the sum of each prompt's scores without the first and the last one, which it
 * takes for the score of the one token of the answer. @throws Error if the answer has more or fewer scores
 */
export async function lmEvalScores(
  post: Post,
  wanted: (request: LmEvalRequest) => boolean = () => true,
): Promise<readonly { ours: number; reference: number }[]> {
  const scores: { ours: number; reference: number }[] = []
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  for await (const [{ logprobs }, answer] of replayLmEval(
    post,
    (request) => request.body.echo === true && wanted(request),
  )) {
    const choices = completionSchema.parse(answer).choices.toSorted((a, b) => a.index - b.index)
    for (const [index, reference] of logprobs!.entries()) {
      const own = choices[index]!.logprobs.token_logprobs.slice(1, -1)
      if (own.length !== reference.length)
        throw new Error(`${own.length} scores of ${reference.length} tokens`)
      scores.push({ ours: sum(own.map(Number)), reference: sum(reference) })
    }
  }
  return scores
}
