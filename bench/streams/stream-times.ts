import { once } from 'node:events'
import { request, type Agent, type IncomingMessage } from 'node:http'

/** The answers of this benchmark: so many chunks, so far apart. */
export const chunks = 64
export const everyMs = 20

/** Milliseconds of the machine's monotonic clock, which all processes share. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6

export interface Target {
  /** Up to the path of the API, as `http://127.0.0.1:1234/v1`. */
  readonly base: string
  readonly headers?: Readonly<Record<string, string>>
  readonly model: string
}

export interface StreamTimes {
  readonly requestedAt: number
  /** When each chunk with text was here, by `now`. */
  readonly arrivedAt: readonly number[]
  /** When the upstream sent it; absent if the chunks don't say so. */
  readonly sentAt: readonly (number | undefined)[]
}

/** Asks for one streamed answer of `chunks` chunks. */
export async function readStream(target: Target, agent: Agent): Promise<StreamTimes> {
  const times = { requestedAt: now(), arrivedAt: [] as number[], sentAt: [] as (number | undefined)[] }
  let last = ''
  const question = { messages: [{ role: 'user', content: 'Go.' }], max_tokens: chunks }
  for await (const { at, line } of streamedLines(target, question, agent)) {
    last = line
    const text = /"content":\s*"([^"]+)"/.exec(line)?.[1]
    if (text === undefined) continue
    times.arrivedAt.push(at)
    times.sentAt.push(text.trim() === '' || Number.isNaN(Number(text)) ? undefined : Number(text))
  }
  if (times.arrivedAt.length !== chunks)
    throw new Error(
      `${target.base} answered with ${times.arrivedAt.length} chunks of ${chunks}. ${last.slice(0, 300)}`,
    )
  return times
}

/**
 * Asks for a streamed answer, and gives the lines of the response with the times of their arrival, by `now`. Plain
 * `node:http`, since this process shares the cores with the servers.
 *
 * @param question - the fields of the request besides `model` and `stream`; with a `prompt`, it goes to /completions
 * @throws Error if the status is not 200
 */
export async function* streamedLines(
  target: Target,
  question: object,
  agent: Agent,
): AsyncGenerator<{ readonly at: number; readonly line: string }> {
  const body = JSON.stringify({ model: target.model, stream: true, ...question })
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...target.headers,
  }
  const path = 'prompt' in question ? 'completions' : 'chat/completions'
  const outgoing = request(`${target.base}/${path}`, { method: 'POST', agent, headers })
  outgoing.end(body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  let rest = ''
  for await (const data of response as AsyncIterable<Buffer>) {
    const at = now()
    const lines = (rest + data.toString('latin1')).split('\n')
    rest = lines.pop()!
    for (const line of lines) yield { at, line }
  }
  if (response.statusCode === 200) return
  throw new Error(`${target.base} answered ${response.statusCode}. ${rest.slice(0, 300)}`)
}
