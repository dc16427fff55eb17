import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { SwarmConfig } from '../config.ts'
import type { InferenceSession } from '../inference/inference-session.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { FakeServer } from '../testing/fake-server.ts'
import { FakeSwarm, type SwarmClient } from '../testing/fake-swarm.ts'
import { lies } from '../testing/lies.ts'
import { AuditBudget } from './audit-budget.ts'

let swarm: FakeSwarm
beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await swarm[Symbol.asyncDispose]()
})

const promptLength = 150
/** More than enough, also where the standby gets its turn late. */
const mostTokens = 2000

const isWrong = (client: SwarmClient, { id }: FakeServer): boolean =>
  client.router.verdicts.of(id)?.kind === 'wrong'

class Dialogue {
  readonly client: SwarmClient
  readonly session: InferenceSession
  readonly inputs: HiddenStates[] = []

  constructor(client: SwarmClient) {
    this.client = client
    this.session = client.openSession()
  }

  async step(tokens: number): Promise<Float32Array> {
    this.inputs.push(swarm.inputs(tokens, this.inputs.length + 1))
    const { data } = await this.session.step(this.inputs.at(-1)!)
    await this.client.checks!.settled()
    return data
  }

  /** The server of a hop, or its standby. */
  server(hop: number, which: 'used' | 'standby'): FakeServer | undefined {
    const span = which === 'used' ? this.session.route[hop] : this.session.standbys[hop]?.span
    return swarm.servers.find(({ id }) => id === span?.peer)
  }

  /** Makes tokens until there is something. */
  async until<T>(find: () => T | undefined | false): Promise<T> {
    for (let i = 0; i < mostTokens; i++) {
      const found = find()
      if (found) return found
      await this.step(1)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`Nothing within ${mostTokens} tokens.`)
  }

  async expectRight(): Promise<void> {
    const data = await this.step(1)
    expect(data).toEqual(swarm.expected(...this.inputs).slice(-data.length))
  }
}

/** No spot check is ever due: what is found, standbys have found. */
const connect = async (config: Partial<SwarmConfig> = {}): Promise<Dialogue> => {
  vi.spyOn(AuditBudget.prototype, 'due').mockReturnValue(undefined)
  const dialogue = new Dialogue(await swarm.connect(config, { random: () => 0.5 }))
  await dialogue.step(promptLength)
  return dialogue
}

describe('a standby finds a server wrong that begins to compute something else', () => {
  it.each([
    ['its outputs shifted by 1 %', 0],
    ['its outputs shifted by 1 %', 1],
    ["another layer's outputs", 0],
    ["another layer's outputs", 1],
  ])('%s, as hop %i; the answer goes on right', async (name, hop) => {
    for (const start of [0, 3]) for (let i = 0; i < 3; i++) await swarm.addServer(start, start + 3)
    const dialogue = await connect()
    const liar = dialogue.server(hop, 'used')!
    lies[name]!(liar, dialogue.session.route[hop]!, swarm.hiddenSize)
    await dialogue.until(() => isWrong(dialogue.client, liar))
    for (const server of swarm.servers.filter((each) => each !== liar))
      expect(dialogue.client.router.verdicts.of(server.id)).toBeUndefined()
    for (let i = 0; i < 3; i++) await dialogue.expectRight()
    expect(dialogue.session.failovers).toMatchObject([{ failed: { peer: liar.id }, wrongFrom: 0 }])
    expect(dialogue.session.route.map(({ peer }) => peer)).not.toContain(liar.id)
  })
})

it('a standby that computes something else is found wrong, and another one follows in its place', async () => {
  for (let i = 0; i < 3; i++) await swarm.addServer(0, 6)
  const dialogue = await connect()
  const used = dialogue.server(0, 'used')!
  const liar = await dialogue.until(() => dialogue.server(0, 'standby'))
  lies['its outputs shifted by 1 %']!(liar, { start: 0, end: 6 }, swarm.hiddenSize)
  await dialogue.until(() => isWrong(dialogue.client, liar))
  expect(dialogue.client.router.verdicts.of(used.id)).toBeUndefined()
  // The session lets the liar go with one of its next steps.
  const next = await dialogue.until(() => {
    const standby = dialogue.server(0, 'standby')
    return standby !== liar && standby
  })
  expect(next).not.toBe(used)
  expect(dialogue.session.failovers).toEqual([])
  await dialogue.expectRight()
})

it('a server whose standby shows it wrong is found even where outputs go from server to server', async () => {
  for (const start of [0, 3])
    for (let i = 0; i < 3; i++) await swarm.addServer(start, start + 3, { modern: true })
  const dialogue = await connect({ serverToServer: 'always' })
  expect(dialogue.session.pushed).toBe(true)
  const liar = dialogue.server(0, 'used')!
  lies['its outputs shifted by 1 %']!(liar, { start: 0, end: 3 }, swarm.hiddenSize)
  await dialogue.until(() => isWrong(dialogue.client, liar))
  for (let i = 0; i < 3; i++) await dialogue.expectRight()
})
