import { setTimeout as delay } from 'node:timers/promises'
import { greedy, type GeneratedToken, type Model, type Session, type TokenId } from '@petals-chat/engine'
import type { SwarmServer } from '../../swarm/server.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { openSwarmEngine, type SwarmEngine } from '../interop/support/swarm-engine.ts'

/** A standby that lacks less than this has followed: it is sent 32 tokens at a time. */
const fewLacking = 40

/** Tokens until a standby has followed, at most, and between two kills, at least. */
const mostTokens = 1000
const fewestTokens = 6

/**
 * Kills of one answer. A standby begins anew after each, and reads 32 tokens in each step: at 2,048 tokens the answer is 64
 * tokens longer before the next kill.
 */
const killsPerAnswer = 8

/** The link to a server is cut like the connections of a killed process: they are reset, and new ones are refused. */
export interface StandbyKill {
  /** The answer is one with standbys, where there is room for them. */
  readonly withStandby: boolean
  /** Standbys of all hops had followed. */
  readonly hadFollowed: boolean
  /** Tokens of the session when the link was cut. */
  readonly position: number
  /** From the kill to the next token. */
  readonly pauseMs: number
  /** Median time of the steps before it. */
  readonly stepMs: number
  /** All tokens since the last kill are those of an undisturbed answer. */
  readonly identical: boolean
  readonly byStandby: boolean
}

/** An answer that is read token by token, with what it is compared with. */
class ReadAnswer implements AsyncDisposable {
  readonly ids: TokenId[] = []
  readonly stepsMs: number[] = []
  readonly session: Session
  readonly #tokens: AsyncIterator<GeneratedToken>
  readonly #promptLength: number

  constructor(session: Session, prompt: readonly TokenId[]) {
    this.session = session
    this.#promptLength = prompt.length
    this.#tokens = session.generate(prompt, { sampling: greedy })[Symbol.asyncIterator]()
  }

  get position(): number {
    return this.#promptLength + this.ids.length
  }

  async next(): Promise<void> {
    const startedAt = performance.now()
    const { value } = await this.#tokens.next()
    this.stepsMs.push(performance.now() - startedAt)
    this.ids.push((value as GeneratedToken).token)
  }

  get hasFollowed(): boolean {
    const { hops } = this.session.route!()
    return hops.every(({ standby }) => (standby?.position ?? 0) > this.position - fewLacking)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tokens.return?.()
    await this.session[Symbol.asyncDispose]()
  }
}

export interface StandbyRunOptions {
  readonly swarm: Swarm
  readonly model: string
  /** Length of the prompt, tokens. */
  readonly history: number
  readonly kills: number
  /** Kills without standbys, which are slow: all of the history is computed again. */
  readonly comparisons: number
  /** Numbers 0 … 1. */
  readonly random: () => number
  readonly onKill?: (kill: StandbyKill) => void
}

/**
 * Long answers of the same swarm, with standbys and without, alternately: the link to a server of each is cut again and
 * again, and mended. They must have the tokens of an undisturbed answer, which is made first.
 */
export async function standbyRun(options: StandbyRunOptions): Promise<readonly StandbyKill[]> {
  const found: StandbyKill[] = []
  for (let first = 0; first < Math.max(options.kills, options.comparisons); first += killsPerAnswer) {
    const left = (kills: number): number => Math.max(0, Math.min(killsPerAnswer, kills - first))
    const [kills, comparisons] = [left(options.kills), left(options.comparisons)]
    found.push(...(await killsOfAnswers({ ...options, kills, comparisons })))
  }
  return found
}

async function killsOfAnswers(options: StandbyRunOptions): Promise<readonly StandbyKill[]> {
  const { swarm, model, kills, comparisons } = options
  const open = (standby: 'auto' | 'off') =>
    openSwarmEngine(swarm, model, {
      standby,
      connectTimeoutMs: 20_000,
      updateIntervalMs: 2000,
      banTimeoutMs: 500,
    })
  await using warm = await open('auto')
  await using cold = await open('off')
  await using answers = new AsyncDisposableStack()
  const begin = async (engine: SwarmEngine) => {
    const { model, prompt } = await longModel(engine, options, answers)
    const maxLength = options.history + 2 * mostTokens
    return {
      engine,
      withStandby: engine === warm,
      answer: answers.use(new ReadAnswer(await model.openSession({ maxLength }), prompt)),
    }
  }
  const undisturbed = await begin(cold)
  const subjects = [
    { ...(await begin(warm)), kills },
    ...(comparisons > 0 ? [{ ...(await begin(cold)), kills: comparisons }] : []),
  ]
  const found: StandbyKill[] = []
  for (let round = 0; round < Math.max(kills, comparisons); round++)
    for (const subject of subjects.filter((each) => round < each.kills)) {
      found.push(await killOnce(subject, undisturbed.answer, options))
      options.onKill?.(found.at(-1)!)
    }
  return found
}

async function longModel(
  { engine, spec }: SwarmEngine,
  { history }: StandbyRunOptions,
  resources: AsyncDisposableStack,
): Promise<{ readonly model: Model; readonly prompt: readonly TokenId[] }> {
  const model = resources.use(await engine.load({ ...spec, maxSessionLength: history + 2 * mostTokens }))
  const story = 'Once upon a time there was a little dragon who lived in a cave near a small village. '
  const prompt = model.tokenizer.encode(story.repeat(history / 16), { addSpecialTokens: true })
  return { model, prompt: prompt.slice(0, history) }
}

interface Subject {
  readonly engine: SwarmEngine
  readonly withStandby: boolean
  readonly answer: ReadAnswer
}

async function killOnce(
  { engine, withStandby, answer }: Subject,
  undisturbed: ReadAnswer,
  { swarm, random }: StandbyRunOptions,
): Promise<StandbyKill> {
  const [from, hadFailovers] = [answer.ids.length, answer.session.route!().failovers.length]
  const hadFollowed = await followed(answer)
  const stepMs = middleOf(answer.stepsMs.slice(from + 1))
  const { hops } = answer.session.route!()
  const { peer } = hops[Math.floor(random() * hops.length)]!
  const server = swarm.servers.find(({ peerId }) => peerId === peer)!
  const relay = swarm.relayOf(server)!
  const token = answer.next()
  await delay(random() * stepMs)
  const { position } = answer
  relay.refuse(true)
  relay.reset()
  const killedAt = performance.now()
  await token
  let pauseMs = performance.now() - killedAt
  // Cut at the very end of a step, it is the next one that fails.
  while (answer.session.route!().failovers.length === hadFailovers) {
    await answer.next()
    pauseMs = answer.stepsMs.at(-1)!
  }
  relay.refuse(false)
  await untilAlive(engine, server)
  while (undisturbed.ids.length < answer.ids.length) await undisturbed.next()
  const identical = answer.ids.every((id, i) => id === undisturbed.ids[i])
  const byStandby = answer.session.route!().failovers.at(-1)!.byStandby ?? false
  return { withStandby, hadFollowed, position, pauseMs, stepMs, identical, byStandby }
}

/** Reads on until standbys of all hops have followed; without standbys, for a few tokens. */
async function followed(answer: ReadAnswer): Promise<boolean> {
  for (let read = 0; read < mostTokens; read++) {
    await answer.next()
    if (read >= fewestTokens && answer.hasFollowed) return true
    if (read > 30 && !hasStandbys(answer)) return false
  }
  throw new Error(`No standby has followed within ${mostTokens} tokens.`)
}

const hasStandbys = ({ session }: ReadAnswer): boolean =>
  session.route!().hops.some(({ standby }) => standby !== undefined)

/** Waits until the client has heard from the server again. */
async function untilAlive({ engine }: SwarmEngine, server: SwarmServer): Promise<void> {
  for (let tries = 0; tries < 120; tries++) {
    const [status] = (await engine.swarm.status()).models
    const known = status!.servers.find(({ peer }) => peer === server.peerId)
    if (known && Number.isFinite(known.rttMs ?? Infinity) && known.bannedForMs === 0) return
    await delay(500)
  }
  throw new Error('A server whose link was mended is not found again.')
}

const middleOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
