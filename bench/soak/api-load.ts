import { setTimeout as delay } from 'node:timers/promises'
import type { SoakTarget } from './chats.ts'
import { repeat, type Tally } from './tally.ts'

interface Call {
  readonly path: string
  readonly status: number
  readonly body?: object | string
  /** Without a key. */
  readonly isAnonymous?: boolean
}

/** Calls of other clients meanwhile, with the status that each must get. */
const callsFor = (local: string): readonly Call[] => {
  const messages = [{ role: 'user', content: 'Say hello.' }]
  return [
    { path: '/health', status: 200, isAnonymous: true },
    { path: '/v1/models', status: 200 },
    { path: '/v1/chat/completions', status: 200, body: { model: local, messages, max_tokens: 8 } },
    { path: '/metrics', status: 200 },
    { path: '/v1/chat/completions', status: 400, body: '{"model":' },
    { path: '/api/v1/swarm', status: 200 },
    { path: '/v1/chat/completions', status: 400, body: { model: local, messages, temperature: 'hot' } },
    { path: '/v1/completions', status: 200, body: { model: local, prompt: 'One two', max_tokens: 4, n: 2 } },
    { path: '/v1/models', status: 401, isAnonymous: true },
    { path: '/v1/nothing', status: 404 },
    { path: '/v1/embeddings', status: 200, body: { model: local, input: ['a cat', 'a dog'] } },
  ]
}

/** Calls the other routes, one after the other, until `signal` aborts. `local`: the model of this machine. */
export async function runApiLoad(
  { url, key }: SoakTarget,
  { local, signal, tally }: { readonly local: string; readonly signal: AbortSignal; readonly tally: Tally },
): Promise<void> {
  const calls = callsFor(local)
  let called = 0
  await repeat('api', { signal, tally }, async () => {
    const { path, status, body, isAnonymous } = calls[called++ % calls.length]!
    const response = await fetch(url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        ...(isAnonymous ? {} : { authorization: `Bearer ${key}` }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal,
    })
    const text = await response.text()
    tally.count('api calls')
    if (response.status !== status)
      tally.problem(`api: ${path} answered ${response.status} instead of ${status}: ${text.slice(0, 300)}`)
    await delay(100, undefined, { signal })
  })
}
