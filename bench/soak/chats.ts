import { once } from 'node:events'
import { WebSocket } from 'ws'
import { repeat, type Tally } from './tally.ts'

/** Where the gateway listens, and the key that its clients send. */
export interface SoakTarget {
  readonly url: string
  readonly key: string
}

export interface ChatsOptions {
  readonly target: SoakTarget
  /** The id of the model that the swarm serves. */
  readonly model: string
  readonly chats: number
  readonly newTokens: number
  readonly signal: AbortSignal
  readonly tally: Tally
}

const prompts = [
  'Once upon a time',
  'One day, a little girl named Lily',
  'There was a big dog who',
  'Tom and his mom went to the',
  'The sun was hot, and the bird',
  'In a small house near the sea',
] as const

/** How one answer is asked for. */
type Ask = (options: Omit<ChatsOptions, 'chats'>, prompt: string) => Promise<string>

/** The ways of the clients: event streams of /v1, and the WebSocket of the original. */
const ways: readonly Ask[] = [askByEvents, askBySocket]

/** The answer of each way to each prompt. They differ: the original's API adds no token at the beginning of a text. */
export type ExpectedAnswers = readonly ReadonlyMap<string, string>[]

/** Asks every prompt in every way, twice, while nothing disturbs. @throws if an answer changes or is empty. */
export async function undisturbedAnswers(options: Omit<ChatsOptions, 'chats'>): Promise<ExpectedAnswers> {
  const answersOf = async (ask: Ask): Promise<ReadonlyMap<string, string>> => {
    const answers = new Map<string, string>()
    for (const prompt of prompts) {
      const text = await ask(options, prompt)
      if (text === '' || (await ask(options, prompt)) !== text)
        throw new Error(`The answer to '${prompt}' is not always the same: '${text}'`)
      answers.set(prompt, text)
    }
    return answers
  }
  return Promise.all(ways.map(answersOf))
}

/** Keeps `chats` answers running until `signal` aborts, and compares each with the undisturbed one. */
export async function runChats(options: ChatsOptions, expected: ExpectedAnswers): Promise<void> {
  const { tally, signal } = options
  let asked = 0
  const chat = (index: number) =>
    repeat(`chat ${index}`, options, async () => {
      const prompt = prompts[asked++ % prompts.length]!
      const way = index % ways.length
      const started = performance.now()
      const text = await ways[way]!(options, prompt)
      if (signal.aborted) return
      tally.count('answers')
      tally.count('answer seconds', (performance.now() - started) / 1000)
      if (text !== expected[way]?.get(prompt))
        tally.problem(`chat ${index}: a wrong answer to '${prompt}': ${text}`)
    })
  await Promise.all(Array.from({ length: options.chats }, (_, index) => chat(index)))
}

async function askByEvents(
  { target, model, newTokens, signal }: Parameters<Ask>[0],
  prompt: string,
): Promise<string> {
  const response = await fetch(`${target.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${target.key}` },
    body: JSON.stringify({ model, prompt, max_tokens: newTokens, temperature: 0, stream: true }),
    signal,
  })
  const body = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${body}`)
  const events = body.split('\n\n').flatMap((frame) => /^data: (.*)$/m.exec(frame)?.[1] ?? [])
  if (events.at(-1) !== '[DONE]') throw new Error(`the stream ended early: ${events.at(-1)}`)
  return events
    .slice(0, -1)
    .map((event) => JSON.parse(event) as { error?: object; choices?: { text: string }[] })
    .map(({ error, choices }) => {
      if (error) throw new Error(JSON.stringify(error))
      return choices?.[0]?.text ?? ''
    })
    .join('')
}

interface SocketMessage {
  readonly ok: boolean
  readonly traceback?: string
  readonly outputs?: string
  readonly stop?: boolean
}

async function askBySocket(
  { target, model, newTokens, signal }: Parameters<Ask>[0],
  prompt: string,
): Promise<string> {
  const socket = new WebSocket(`${target.url.replace('http', 'ws')}/api/v2/generate`, {
    headers: { authorization: `Bearer ${target.key}` },
  })
  try {
    await once(socket, 'open', { signal })
    const next = async (): Promise<SocketMessage> => {
      const [data] = (await once(socket, 'message', { signal })) as [Buffer]
      const message = JSON.parse(data.toString()) as SocketMessage
      if (!message.ok) throw new Error(message.traceback)
      return message
    }
    socket.send(JSON.stringify({ type: 'open_inference_session', model, max_length: newTokens + 64 }))
    await next()
    let text = ''
    socket.send(JSON.stringify({ type: 'generate', inputs: prompt, max_new_tokens: newTokens, do_sample: 0 }))
    for (let stop = false; !stop;) {
      const message = await next()
      text += message.outputs ?? ''
      stop = message.stop === true
    }
    return text
  } finally {
    socket.terminate()
  }
}
