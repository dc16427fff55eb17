import { createInterface } from 'node:readline'

/** The request to a client under test: so many chats that begin together. Sampling is greedy, and end tokens are ignored. */
export interface ChatsRequest {
  readonly prompts: readonly (readonly number[])[]
  readonly newTokens: number
  readonly maxLength: number
}

export interface TimedChat {
  readonly ids: readonly number[]
  readonly firstTokenSeconds: number
  /** From the beginning of all chats to this one's last token. */
  readonly endSeconds: number
  /** The servers of its route at the end; unknown for the Python client. */
  readonly servers: readonly string[]
}

/** Generates tokens until the caller stops. */
export type Chat = (
  request: Pick<ChatsRequest, 'maxLength'> & { readonly ids: readonly number[] },
) => AsyncIterable<{ readonly token: number; readonly servers: readonly string[] }>

/** The other end of a `LinePeer`: prints that it is ready, then answers each line of the input. */
export async function answerChats(chat: Chat): Promise<void> {
  console.log(JSON.stringify({ ready: performance.now() / 1000 }))
  for await (const line of createInterface({ input: process.stdin })) {
    const { prompts, ...request } = JSON.parse(line) as ChatsRequest
    const begin = performance.now()
    const chats = await Promise.all(prompts.map((ids) => timed(chat, { ids, ...request }, begin)))
    console.log(JSON.stringify({ chats }))
  }
}

async function timed(
  chat: Chat,
  { ids, newTokens, maxLength }: Omit<ChatsRequest, 'prompts'> & { readonly ids: readonly number[] },
  begin: number,
): Promise<TimedChat> {
  const tokens: number[] = []
  let first = 0
  let last: readonly string[] = []
  for await (const { token, servers } of chat({ ids, maxLength })) {
    if (tokens.length === 0) first = performance.now()
    tokens.push(token)
    last = servers
    if (tokens.length === newTokens) break
  }
  const endSeconds = (performance.now() - begin) / 1000
  return { ids: tokens, firstTokenSeconds: (first - begin) / 1000, endSeconds, servers: last }
}
