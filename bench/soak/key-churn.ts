import { setTimeout as delay } from 'node:timers/promises'
import { petalsChat } from '../../tests/e2e/support/petals-chat.ts'
import type { SoakTarget } from './chats.ts'
import { repeat, type Tally } from './tally.ts'

/** `petals-chat keys` with the config of the gateway. */
export class KeyCommands {
  readonly #config: string
  readonly #environment: Readonly<Record<string, string>>

  constructor(config: string, environment: Readonly<Record<string, string>>) {
    this.#config = config
    this.#environment = environment
  }

  /** Returns the new key. `scopes`: separated by commas; left out: those of a chat. */
  async create(name: string, scopes?: string): Promise<string> {
    const flags = scopes === undefined ? [] : ['--scopes', scopes]
    return (await this.#run('create', name, ...flags)).trim()
  }

  async revoke(name: string): Promise<void> {
    await this.#run('revoke', name)
  }

  async #run(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await petalsChat(['keys', ...args, '--config', this.#config], {
      env: this.#environment,
    })
    if (code !== 0) throw new Error(`petals-chat keys ${args[0]}: ${stderr}`)
    return stdout
  }
}

export interface KeyChurnOptions {
  readonly keys: KeyCommands
  /** The model of this machine. */
  readonly local: string
  readonly signal: AbortSignal
  readonly tally: Tally
}

/** A revoked key may work this long: the promise is a second; the rest is for a busy machine. */
const MAX_REVOKED_MS = 5000
const PAUSE_MS = 10_000

/** Makes a key, revokes it during an answer, and checks that the answer ends and the key is refused. */
export async function runKeyChurn(
  target: SoakTarget,
  { keys, local, signal, tally }: KeyChurnOptions,
): Promise<void> {
  let made = 0
  await repeat('keys', { signal, tally }, async () => {
    const name = `soak-${++made}`
    const key = await keys.create(name)
    const answer = await openAnswer({ ...target, key }, local, signal)
    await keys.revoke(name)
    const revokedAt = performance.now()
    const text = await answer.text()
    const tookMs = performance.now() - revokedAt
    tally.count('keys revoked')
    tally.longest('longest ms until the answer of a revoked key ended', Math.round(tookMs))
    if (!text.includes('"access_revoked"') || tookMs > MAX_REVOKED_MS)
      tally.problem(
        `keys: the answer of a revoked key ended after ${Math.round(tookMs)} ms: ${text.slice(-200)}`,
      )
    const { status } = await fetch(`${target.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })
    if (status !== 401) tally.problem(`keys: a revoked key got ${status}`)
    await delay(PAUSE_MS, undefined, { signal })
  })
}

/** Begins an answer that is longer than the test needs. */
async function openAnswer({ url, key }: SoakTarget, model: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, prompt: 'Count: 1 2 3', max_tokens: 4000, ignore_eos: true, stream: true }),
    signal,
  })
  if (!response.ok) throw new Error(`a new key got ${response.status}: ${await response.text()}`)
  return response
}
