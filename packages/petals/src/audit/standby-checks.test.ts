import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SwarmConfig } from '../config.ts'
import type { InferenceSession } from '../inference/inference-session.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { FakeServer } from '../testing/fake-server.ts'
import { FakeSwarm, type SwarmClient } from '../testing/fake-swarm.ts'
import { lies } from '../testing/lies.ts'

let swarm: FakeSwarm
beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

/** The server that is used is the fastest one, and the next one is its standby. */
const used = { inferenceRps: 1000 }
const next = { inferenceRps: 500 }
const slow = { inferenceRps: 100 }

const promptLength = 150
/** Within so many tokens a spot check is not paid for yet. */
const mostTokens = 60

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

  /** Reports whether the server was found wrong before a spot check could be made. */
  async finds(liar: FakeServer): Promise<boolean> {
    await this.step(promptLength)
    for (let i = 0; i < mostTokens && !isWrong(this.client, liar); i++) {
      await this.step(1)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return isWrong(this.client, liar)
  }

  async expectRight(): Promise<void> {
    const data = await this.step(1)
    expect(data).toEqual(swarm.expected(...this.inputs).slice(-data.length))
  }
}

const connect = (config: Partial<SwarmConfig> = {}): Promise<Dialogue> =>
  swarm.connect(config, () => 0.999).then((client) => new Dialogue(client))

describe('a standby finds a server wrong that computes something else', () => {
  it.each([
    ['its outputs shifted by 1 %', { start: 0, end: 3 }],
    ['its outputs shifted by 1 %', { start: 3, end: 6 }],
    ["another layer's outputs", { start: 0, end: 3 }],
    ["another layer's outputs", { start: 3, end: 6 }],
  ])('%s, as the server of %o; the answer goes on right', async (name, span) => {
    const liar = await swarm.addServer(span.start, span.end, used)
    for (const start of [0, 3])
      for (const speed of [next, slow]) await swarm.addServer(start, start + 3, speed)
    lies[name]!(liar, span, swarm.hiddenSize)
    const dialogue = await connect()
    expect(await dialogue.finds(liar)).toBe(true)
    for (const server of swarm.servers.filter((each) => each !== liar))
      expect(dialogue.client.router.verdicts.of(server.id)).toBeUndefined()
    for (let i = 0; i < 3; i++) await dialogue.expectRight()
    expect(dialogue.session.failovers).toMatchObject([{ failed: { peer: liar.id }, wrongFrom: 0 }])
    expect(dialogue.session.route.map(({ peer }) => peer)).not.toContain(liar.id)
  })
})

it('a standby that computes something else is found wrong, and another one follows in its place', async () => {
  const honest = await swarm.addServer(0, 6, used)
  const liar = await swarm.addServer(0, 6, next)
  const third = await swarm.addServer(0, 6, slow)
  lies['its outputs shifted by 1 %']!(liar, { start: 0, end: 6 }, swarm.hiddenSize)
  const dialogue = await connect()
  expect(await dialogue.finds(liar)).toBe(true)
  expect(dialogue.client.router.verdicts.of(honest.id)).toBeUndefined()
  for (let i = 0; i < 200 && dialogue.session.standbys[0]?.span.peer !== third.id; i++) {
    await dialogue.expectRight()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(dialogue.session.standbys[0]?.span.peer).toBe(third.id)
  expect(dialogue.session.failovers).toEqual([])
})

it('a server whose standby shows it wrong is found even where outputs go from server to server', async () => {
  const modern = { ...slow, modern: true }
  const liar = await swarm.addServer(0, 3, { ...modern, ...used })
  for (const start of [0, 0, 3, 3, 3]) await swarm.addServer(start, start + 3, modern)
  lies['its outputs shifted by 1 %']!(liar, { start: 0, end: 3 }, swarm.hiddenSize)
  const dialogue = await connect({ serverToServer: 'always' })
  expect(await dialogue.finds(liar)).toBe(true)
  for (let i = 0; i < 3; i++) await dialogue.expectRight()
})
