import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { SwarmStatus } from '@petals-chat/engine'
import { startSwarm, type Swarm } from '../../../swarm/swarm.ts'
import { startPetalsChat, type PetalsChat } from '../../e2e/support/petals-chat.ts'
import { openFolderTokenizer } from './folder-tokenizer.ts'
import { referenceAnswers } from './reference.ts'

export const model = 'stories15M'
export const prompt = 'Once upon a time'
export const newTokens = 48

/** What `/v1/models` says of a model. */
interface ModelState {
  readonly state: string
  readonly state_detail?: string
}

/** A swarm of real servers, and the whole program in front of it. */
export class SwarmProcess implements AsyncDisposable {
  readonly swarm: Swarm
  readonly server: PetalsChat
  /** The flags that name the swarm and its model. */
  readonly args: readonly string[]
  readonly cacheHome: string
  /** The answer of transformers, as text. */
  readonly expected: string
  readonly #resources: AsyncDisposableStack

  static async start(): Promise<SwarmProcess> {
    await using resources = new AsyncDisposableStack()
    const swarm = resources.use(await startSwarm({ model, replicas: 2 }))
    const cacheHome = await mkdtemp(path.join(tmpdir(), 'petals-chat-swarm-'))
    resources.defer(() => rm(cacheHome, { recursive: true, force: true }))
    const args = [
      ...['--swarm', swarm.initialPeers.join(',')],
      ...['--model', `petals:${swarm.modelFolder}`, '--dht-prefix', swarm.dhtPrefix],
    ]
    const server = resources.use(await startPetalsChat({ args, env: { XDG_CACHE_HOME: cacheHome } }))
    const { tokenizer } = await openFolderTokenizer(swarm.modelFolder)
    const tokens = tokenizer.encode(prompt, { addSpecialTokens: true })
    const [answer] = await referenceAnswers(model, [tokens], newTokens)
    const expected = tokenizer.decode(answer!.ids)
    return new SwarmProcess({ swarm, server, args, cacheHome, expected }, resources.move())
  }

  private constructor(
    parts: Pick<SwarmProcess, 'swarm' | 'server' | 'args' | 'cacheHome' | 'expected'>,
    resources: AsyncDisposableStack,
  ) {
    this.swarm = parts.swarm
    this.server = parts.server
    this.args = parts.args
    this.cacheHome = parts.cacheHome
    this.expected = parts.expected
    this.#resources = resources
  }

  get environment(): Readonly<Record<string, string>> {
    return { XDG_CACHE_HOME: this.cacheHome }
  }

  async readSwarm(): Promise<SwarmStatus> {
    return (await (await fetch(`${this.server.url}/api/v1/swarm`)).json()) as SwarmStatus
  }

  async readModel(): Promise<ModelState> {
    const response = await fetch(`${this.server.url}/v1/models`)
    const body = (await response.json()) as { readonly data: readonly ModelState[] }
    return body.data[0]!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}
