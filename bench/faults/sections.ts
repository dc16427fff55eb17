import { measurePoison } from '../../packages/petals/src/testing/poisoned-swarm.ts'
import { churnRun } from '../../tests/support/churn-runs.ts'
import type { FaultHarness, Prompt } from '../../tests/support/fault-harness.ts'
import { killMoments, killRun, prepareKillPrompts, type KillRun } from '../../tests/support/kill-runs.ts'
import { fullCacheRun, slowReadersRun, startLimitedSwarm } from '../../tests/support/limited-swarm.ts'
import { linkFaults, linkRun, longLinkFaults } from '../../tests/support/link-faults.ts'
import { rewindingRun } from '../../tests/support/rewinding.ts'
import { standbyRun, type StandbyKill } from '../../tests/support/standby-runs.ts'
import { seededBits } from '../../packages/petals/src/sampling/random.ts'
import { startSwarm } from '../../swarm/swarm.ts'
import { median, quantile, rounded } from '../support/statistics.ts'

/** One line of the report. */
export interface Finding {
  readonly fault: string
  readonly answers: number
  readonly identical: number
  readonly figures: Readonly<Record<string, number>>
}

const killFinding = (fault: string, runs: readonly KillRun[]): Finding => {
  const pauses = runs.map(({ pauseMs }) => pauseMs / 1000)
  return {
    fault,
    answers: runs.length,
    identical: runs.filter(({ identical }) => identical).length,
    figures: {
      failovers: runs.reduce((sum, { failovers }) => sum + failovers, 0),
      'pause median, s': rounded(quantile(pauses, 0.5)),
      'p95, s': rounded(quantile(pauses, 0.95)),
      'longest, s': rounded(Math.max(...pauses)),
    },
  }
}

/** Kills at five moments of single answers. */
export async function kills(harness: FaultHarness, count: number): Promise<readonly Finding[]> {
  const prompts = await prepareKillPrompts(harness)
  const runs: KillRun[] = []
  while (runs.length < count) {
    runs.push(await killRun(harness, prompts, killMoments[runs.length % killMoments.length]!))
    console.error(`${runs.length} of ${count}: ${JSON.stringify(runs.at(-1))}`)
  }
  const kinds = killMoments.map((moment) => runs.filter((run) => run.moment === moment))
  const found = kinds.filter((of) => of.length > 0).map((of) => killFinding(`kill -9 ${of[0]!.moment}`, of))
  return [...found, killFinding('kill -9, all', runs)]
}

/** Chats at once that regenerate answers and edit prompts, while servers are killed. */
export async function rewinding(harness: FaultHarness, where = ''): Promise<readonly Finding[]> {
  const { dialogues, identical, failovers } = await rewindingRun(harness)
  return [
    {
      fault: `kill -9, answers that rewind ${where}`.trim(),
      answers: dialogues,
      identical,
      figures: { failovers },
    },
  ]
}

/** Chats at once while servers leave and join. */
export async function churn(harness: FaultHarness, prompt: Prompt, minutes: number): Promise<Finding> {
  const times = { ms: minutes * 60_000, everyMs: 30_000, calmMs: 20_000 }
  const { answers, identical, left, ...speed } = await churnRun(harness, prompt, times)
  const share = speed.tokensPerSecond / speed.calmTokensPerSecond
  const figures = {
    left,
    'tokens/s': rounded(speed.tokensPerSecond),
    'calm, tokens/s': rounded(speed.calmTokensPerSecond),
    share: rounded(share),
  }
  return { fault: 'a server leaves and one joins every 30 s', answers, identical, figures }
}

/** Chats at once behind links that fail in eleven ways, `rounds` times at each hop. */
export async function links(
  harness: FaultHarness,
  prompt: Prompt,
  rounds: number,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const fault of [...linkFaults, ...longLinkFaults]) {
    const runs = []
    for (let i = 0; i < 2 * rounds; i++) runs.push(await linkRun(harness, prompt, fault, i % 2))
    findings.push({
      fault: `link: ${fault.name}`,
      answers: runs.reduce((sum, { answers }) => sum + answers, 0),
      identical: runs.reduce((sum, { identical }) => sum + identical, 0),
      figures: {
        failovers: runs.reduce((sum, { failovers }) => sum + failovers, 0),
        'longest, s': rounded(Math.max(...runs.map(({ pauseMs }) => pauseMs / 1000))),
      },
    })
    console.error(JSON.stringify(findings.at(-1)))
  }
  return findings
}

const walls = { sessionSeconds: 20, stepSeconds: 5, cacheTokens: 512 }

/** Chats at once on servers with narrow limits of time and room. */
export async function limits(): Promise<readonly Finding[]> {
  await using swarm = await startLimitedSwarm(walls)
  const slow = await slowReadersRun(swarm, walls)
  const full = await fullCacheRun(swarm, 120)
  const finding = (fault: string, { answers, identical, refusals, seconds }: typeof slow): Finding => ({
    fault,
    answers,
    identical,
    figures: { refusals, seconds: rounded(seconds) },
  })
  return [
    finding('sessions of 20 s, steps within 5 s, slower readers', slow),
    finding('KV cache of 512 tokens, answers of 120', full),
  ]
}

/** A client in a process of its own on a poisoned DHT. */
export async function poison(): Promise<Finding> {
  const rounds = 2
  const { identical, honest, ...grown } = await measurePoison({ forged: 10_000, hostileNodes: 6, rounds })
  return {
    fault: '10,000 forged servers, values of 5 MB',
    answers: rounds,
    identical: identical && honest ? rounds : 0,
    figures: { 'MiB kept': rounded(grown.grownMiB), 'MiB at most': rounded(grown.mostGrownMiB) },
  }
}

const lineMs = 100
const historyTokens = 2048
/** Cuts without standbys, at most: each takes a second or two of the answer, and the same again to compare it. */
const mostComparisons = 20

const standbyFinding = (withStandby: boolean, kills: readonly StandbyKill[]): Finding => {
  const pauses = kills.map(({ pauseMs }) => pauseMs / 1000)
  const stepMs = median(kills.map((kill) => kill.stepMs))
  return {
    fault: `a link of 100 ms cut after ${historyTokens} tokens or more, ${withStandby ? 'with' : 'without'} standbys`,
    answers: kills.length,
    identical: kills.filter(({ identical }) => identical).length,
    figures: {
      'step, s': rounded(stepMs / 1000),
      'step + 3 round trips, s': rounded((stepMs + 3 * lineMs) / 1000),
      'pause median, s': rounded(quantile(pauses, 0.5)),
      'p95, s': rounded(quantile(pauses, 0.95)),
      'longest, s': rounded(Math.max(...pauses)),
      'standbys had followed': kills.filter(({ hadFollowed }) => hadFollowed).length,
      'by standbys': kills.filter(({ byStandby }) => byStandby).length,
    },
  }
}

/** Links to servers are cut in long answers, with standbys and without, alternately. */
export async function standby(kills: number, seed: number, model: string): Promise<readonly Finding[]> {
  await using swarm = await startSwarm({
    model,
    replicas: 2,
    relay: { latencyMs: lineMs / 2 },
    // Room for the sessions of all three answers on one server, and plenty beside them: without that there are no standbys.
    cacheTokens: 65_536,
    extra: ['--inference_max_length', '8192'],
    onProgress: console.error,
  })
  const bits = seededBits(seed)
  const random = (): number => bits() / 2 ** 32
  const onKill = (kill: StandbyKill): void => console.error(JSON.stringify(kill))
  const comparisons = Math.min(kills, mostComparisons)
  const found = await standbyRun({ swarm, model, history: historyTokens, kills, comparisons, random, onKill })
  return [true, false].map((withStandby) =>
    standbyFinding(
      withStandby,
      found.filter((kill) => kill.withStandby === withStandby),
    ),
  )
}
