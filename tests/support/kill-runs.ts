import type { Disturbance, FaultHarness, Prompt } from './fault-harness.ts'

/** When servers are killed. */
export const killMoments = [
  'before the first token',
  'in prefill',
  'at a random token',
  'twice in a row',
  'both spans at once',
] as const
export type KillMoment = (typeof killMoments)[number]

export interface KillRun {
  readonly moment: KillMoment
  readonly identical: boolean
  readonly disturbed: boolean
  readonly failovers: number
  readonly pauseMs: number
}

/** A prompt of a few tokens with a longer answer, and one that takes many steps to run. */
export interface KillPrompts {
  readonly short: Prompt
  readonly long: Prompt
}

export async function prepareKillPrompts(harness: FaultHarness): Promise<KillPrompts> {
  const story = 'Once upon a time there was a little dragon who lived in a cave near a small village. '
  return {
    short: await harness.prepare('Once upon a time', 64),
    long: await harness.prepare(story.repeat(9), 16),
  }
}

/** Makes an answer while a server that works for it is killed, compares it, and waits until the swarm is whole again. */
export async function killRun(
  harness: FaultHarness,
  { short, long }: KillPrompts,
  moment: KillMoment,
): Promise<KillRun> {
  const prompt = moment === 'in prefill' ? long : short
  const answer = await harness.answer(prompt, killsAt(harness, prompt, moment))
  await harness.repaired()
  const { failovers, pauseMs, disturbed } = answer
  const identical = answer.ids.join() === prompt.expected.join()
  return { moment, identical, disturbed, failovers, pauseMs }
}

/** Less than the time of a step, so that about every part of one is hit. */
const withinStepMs = 12

function killsAt(harness: FaultHarness, prompt: Prompt, moment: KillMoment): readonly Disturbance[] {
  const someHop = harness.random() < 0.5 ? 0 : 1
  const kill = (afterTokens: number, delayMs: number, ...hops: readonly number[]): Disturbance => ({
    afterTokens,
    delayMs,
    act(session) {
      const servers = hops.map((hop) => harness.serverOf(session, hop))
      for (const server of servers) harness.kill(server)
    },
  })
  const token = 1 + Math.floor(harness.random() * (prompt.newTokens - 8))
  const delayMs = harness.random() * withinStepMs
  switch (moment) {
    case 'before the first token':
      return [kill(0, 0, someHop)]
    case 'in prefill':
      return [kill(0, harness.random() * 0.7 * prompt.firstTokenMs, someHop)]
    case 'at a random token':
      return [kill(token, delayMs, someHop)]
    case 'twice in a row':
      return [kill(token, delayMs, someHop), kill(token + 2, delayMs, 1 - someHop)]
    case 'both spans at once':
      return [kill(token, delayMs, 0, 1)]
    default:
      return moment satisfies never
  }
}
