import { setTimeout as delay } from 'node:timers/promises'
import { CapacityError, greedy, type TokenId } from '@petals-chat/engine'
import { startSwarmEngine, type SwarmEngine } from '../interop/support/swarm-engine.ts'
import { chatsAtOnce } from './crowd.ts'

/** Limits of the servers: seconds of a session in all and between two steps, and tokens of the KV cache of a block. */
export interface ServerWalls {
  readonly sessionSeconds: number
  readonly stepSeconds: number
  readonly cacheTokens: number
}

export interface WallRun {
  readonly answers: number
  readonly identical: number
  /** Refusals because the servers were full; any other error fails the run. */
  readonly refusals: number
  readonly seconds: number
}

const prompt = 'Once upon a time'

/** One server for each span, with narrow limits, and a client that knows of those on time. */
export const startLimitedSwarm = ({
  sessionSeconds,
  stepSeconds,
  cacheTokens,
}: ServerWalls): Promise<SwarmEngine> =>
  startSwarmEngine(
    {
      model: 'stories15M',
      cacheTokens,
      extra: ['--session_timeout', `${sessionSeconds}`, '--step_timeout', `${stepSeconds}`],
    },
    { sessionLifetimeMs: sessionSeconds * 500, keepAliveMs: stepSeconds * 400 },
  )

async function answer(
  { model }: SwarmEngine,
  newTokens: number,
  pause: (taken: number) => Promise<unknown> | undefined,
): Promise<readonly TokenId[]> {
  const tokens = model.tokenizer.encode(prompt, { addSpecialTokens: true })
  await using session = await model.openSession({ maxLength: tokens.length + newTokens })
  const ids: TokenId[] = []
  for await (const { token } of session.generate(tokens, { sampling: greedy })) {
    ids.push(token)
    if (ids.length === newTokens) break
    await pause(ids.length)
  }
  return ids
}

async function answersAtOnce(
  swarm: SwarmEngine,
  newTokens: number,
  one: () => Promise<readonly TokenId[]>,
): Promise<Omit<WallRun, 'refusals'>> {
  const expected = (await answer(swarm, newTokens, () => undefined)).join()
  const startedAt = performance.now()
  const answers = await Promise.all(Array.from({ length: chatsAtOnce }, one))
  const seconds = (performance.now() - startedAt) / 1000
  return {
    answers: answers.length,
    identical: answers.filter((ids) => ids.join() === expected).length,
    seconds,
  }
}

/** Readers who are slower than the servers allow: longer than a step now and then, and longer than a session in all. */
export async function slowReadersRun(
  swarm: SwarmEngine,
  { sessionSeconds, stepSeconds }: ServerWalls,
): Promise<WallRun> {
  const pauses = Math.ceil((sessionSeconds * 1.5) / (stepSeconds * 1.2))
  const newTokens = 4 * (pauses + 1)
  const pause = (taken: number) => (taken % 4 === 0 ? delay(stepSeconds * 1200) : undefined)
  const run = await answersAtOnce(swarm, newTokens, () => answer(swarm, newTokens, pause))
  return { ...run, refusals: 0 }
}

/** More answers than the servers have room for: those without room are refused clearly, and asked for again. */
export async function fullCacheRun(swarm: SwarmEngine, newTokens: number): Promise<WallRun> {
  let refusals = 0
  const untilAnswered = async (): Promise<readonly TokenId[]> => {
    while (true) {
      try {
        return await answer(swarm, newTokens, () => undefined)
      } catch (error) {
        if (!(error instanceof CapacityError)) throw error
        refusals++
      }
    }
  }
  return { ...(await answersAtOnce(swarm, newTokens, untilAnswered)), refusals }
}
