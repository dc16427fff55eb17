import { greedy, type Logger, type Session, type TokenId } from '@petals-chat/engine'
import type { Difference } from '../../packages/petals/src/audit/difference.ts'
import type { Likeness } from '../../packages/petals/src/audit/tolerances.ts'
import type { SwarmServer } from '../../swarm/server.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import type { Prompt } from './fault-harness.ts'
import { openSwarmEngine, type SwarmEngine } from '../interop/support/swarm-engine.ts'

/** What a server that lies does (`swarm/python/lies.py`). */
export const lies = ['scale 1.05', 'shift 0.01', 'noise 0.05', 'layers', 'stale'] as const
export type Lie = (typeof lies)[number]

/** A check, as the log describes it. */
export type LoggedCheck = Difference & {
  readonly likeness: Likeness
  readonly from: number
  readonly end: number
}

/** A logger that keeps the spot checks. */
export function checkLogger(): { readonly logger: Logger; readonly checks: LoggedCheck[] } {
  const checks: LoggedCheck[] = []
  const ignore = (): void => {}
  const logger: Logger = {
    debug: (fields, message) => {
      if (message === 'spot check') checks.push(fields as unknown as LoggedCheck)
    },
    info: ignore,
    warn: ignore,
    error: ignore,
    child: () => logger,
  }
  return { logger, checks }
}

/** Answers of this length, one after the other, until `isOver` or so many tokens. Returns the number of tokens. */
export async function answerUntil(
  { model }: SwarmEngine,
  prompts: readonly string[],
  answerLength: number,
  isOver: (tokens: number, session: Session) => Promise<boolean> | boolean,
): Promise<number> {
  let tokens = 0
  for (let i = 0; ; i++) {
    const prompt = model.tokenizer.encode(prompts[i % prompts.length]!, { addSpecialTokens: true })
    await using session = await model.openSession({ maxLength: prompt.length + answerLength })
    let length = 0
    const sampling = { temperature: 0.8, topP: 0.95, seed: i }
    for await (const _ of session.generate(prompt, { sampling })) {
      tokens++
      if (await isOver(tokens, session)) return tokens
      if (++length === answerLength) break
    }
  }
}

/** Returns the server of a hop in the route that the engine now takes. */
export async function serverInUse({ model, swarm }: SwarmEngine, hop: number): Promise<SwarmServer> {
  await using session = await model.openSession({ maxLength: 8 })
  for await (const _ of session.generate([1], { sampling: greedy })) break
  const { peer } = session.route!().hops[hop]!
  return swarm.servers.find(({ peerId }) => peerId === peer)!
}

/** Returns the peer ids of servers with this verdict. */
export async function withVerdict(
  { engine }: SwarmEngine,
  kind: 'wrong' | 'disputed',
): Promise<readonly string[]> {
  const { models } = await engine.swarm.status()
  return models[0]!.servers.filter(({ verdict }) => verdict?.kind === kind).map(({ peer }) => peer)
}

async function greedyAnswer(
  { model }: SwarmEngine,
  { tokens, newTokens }: Pick<Prompt, 'tokens' | 'newTokens'>,
): Promise<readonly TokenId[]> {
  await using session = await model.openSession({ maxLength: tokens.length + newTokens })
  const ids: TokenId[] = []
  for await (const { token } of session.generate(tokens, { sampling: greedy })) {
    ids.push(token)
    if (ids.length === newTokens) break
  }
  return ids
}

export interface LieRun {
  readonly lie: Lie
  readonly hop: number
  /** Tokens from the lie to the verdict, of answers that the liar worked for. */
  readonly tokens: number
  readonly found: 'the liar' | 'a dispute' | 'an honest server' | 'nothing'
  /** The greedy answer to `LieRunOptions.then` while the server goes on lying. */
  readonly ids: readonly TokenId[]
}

export interface LieRunOptions {
  readonly lie: Lie
  readonly hop: number
  readonly mostTokens: number
  readonly prompts: readonly string[]
  /** What is asked at the end. */
  readonly then?: Pick<Prompt, 'tokens' | 'newTokens'> | undefined
}

/** Lets the server in use lie, with an engine that knows nothing of it yet, until it is found. */
export async function lieRun(
  swarm: Swarm,
  model: string,
  { lie, hop, mostTokens, prompts, then }: LieRunOptions,
): Promise<LieRun> {
  await using engine = await openSwarmEngine(swarm, model, { connectTimeoutMs: 20_000 })
  const liar = await serverInUse(engine, hop)
  // Two servers can't find out which of them is wrong.
  const isAlone = swarm.servers.filter(({ start }) => start === liar.start).length < 3
  const outcome = async (): Promise<LieRun['found'] | undefined> => {
    const wrong = await withVerdict(engine, 'wrong')
    if (wrong.length > 0) return wrong.join() === liar.peerId ? 'the liar' : 'an honest server'
    return isAlone && (await withVerdict(engine, 'disputed')).length > 0 ? 'a dispute' : undefined
  }
  await liar.lie(lie)
  try {
    let found: LieRun['found'] | undefined
    let tokens = 0
    // Which of the replicas is the fastest changes: some answers go without the liar.
    await answerUntil(engine, prompts, 200, async (total, session) => {
      if (session.route!().hops.some(({ peer }) => peer === liar.peerId)) tokens++
      found = await outcome()
      return tokens >= mostTokens || total >= 10 * mostTokens || found !== undefined
    })
    return { lie, hop, tokens, found: found ?? 'nothing', ids: then ? await greedyAnswer(engine, then) : [] }
  } finally {
    await liar.lie('')
  }
}
