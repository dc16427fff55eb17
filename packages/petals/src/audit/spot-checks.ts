import { blocksOf, formatBlocks, rangeLength, type BlockRange } from '../blocks/block-range.ts'
import { likenessOf } from '../blocks/numbers.ts'
import type { Span } from '../blocks/spans.ts'
import type { InferenceContext } from '../inference/inference-context.ts'
import { DeadlineExceededError } from '../errors.ts'
import { HopFailure } from '../inference/open-route.ts'
import { mostCompared } from '../inference/recent-outputs.ts'
import type { Evidence, ObservedRoute, SecondAnswer, StepObserver } from '../inference/step-observer.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { AuditBudget } from './audit-budget.ts'
import { differenceOf, type Difference } from './difference.ts'
import { precisionOf, type Precision } from './precision.ts'
import { rerun } from './rerun.ts'
import { type CheckOutcome, spotCheckMetrics } from './spot-check-metrics.ts'
import { Tolerances, type Comparison, type Likeness } from './tolerances.ts'
import { decide, type Opinion, type Opinions } from './verdict.ts'
import { chooseWitnesses, type WitnessOptions } from './witnesses.ts'

type GivenOpinion = Opinion & { readonly by: readonly Span[] }
type GivenOpinions = Opinions & { readonly third?: GivenOpinion | undefined }

/** So many third opinions are asked for, at most, until one is given. */
const mostThirds = 3

/** Two answers, side by side. */
interface Compared extends Comparison {
  /** Of all servers of both. */
  readonly peers: readonly PeerId[]
  readonly likeness: Likeness
}

/** Servers and what they computed. */
interface Answer {
  readonly blocks: BlockRange
  readonly servers: readonly Span[]
  readonly outputs: Float32Array
}

/**
 * Finds servers that compute something else than their blocks: now and then, a part of what a server has computed for an
 * answer is computed again by others, in the background.
 */
export class SpotChecks implements StepObserver, AsyncDisposable {
  readonly #context: InferenceContext
  readonly #random: () => number
  readonly #budget: AuditBudget
  readonly #tolerances = new Tolerances()
  readonly #report: (outcome: CheckOutcome) => void
  readonly #closing = new AbortController()
  #running: Promise<void> | undefined

  constructor(context: InferenceContext, random: () => number = Math.random) {
    this.#context = context
    this.#random = random
    this.#budget = new AuditBudget(context.config.prefillChunkTokens, random)
    this.#report = spotCheckMetrics(context.metrics, context.dhtPrefix)
  }

  stepped(route: ObservedRoute, tokens: number): void {
    for (const { peer, server } of route.spans) this.#budget.earn(peer, server, tokens)
    if (this.#running || this.#closing.signal.aborted) return
    for (const [index, span] of route.spans.entries()) {
      const end = this.#budget.due(span.peer, span.server, route.position)
      if (end !== undefined && this.#begin(route, index, end)) return
    }
  }

  /** What a standby computes costs no check. Where it differs, others decide, as for a check. */
  doubled(route: ObservedRoute, index: number, { span: standby, ...answer }: SecondAnswer): void {
    const { hiddenSize } = this.#context
    const accused = route.spans[index]!
    const end = answer.from + answer.outputs.length / hiddenSize
    const from = Math.max(answer.from, end - mostCompared)
    const outputs = answer.outputs.subarray((from - answer.from) * hiddenSize)
    const used = route.usedOutputs(index, from, end)
    if (!used || this.#closing.signal.aborted || !this.#areAsBefore([accused, standby])) return
    const first = { blocks: accused, servers: [accused], outputs: used }
    const second = { blocks: accused, servers: [standby], outputs }
    const comparison = this.#compare(first, second)
    if (comparison.likeness === 'alike') return this.#report(this.#agreed(first, comparison))
    // A doubt costs a check of a third server each time.
    if (comparison.likeness === 'doubtful' && !this.#budget.hasLeft(accused.peer)) return
    const evidence = this.#running ? undefined : route.evidence(index, end)
    if (!evidence) return
    const shown = { ...evidence, from, outputs: used }
    this.#log(shown, [standby], comparison)
    this.#begun(accused, this.#differing(shown, first, second, comparison))
  }

  /** Resolves when no check runs. */
  async settled(): Promise<void> {
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('The model was closed.'))
    await this.#running
  }

  /** Returns false if the server can't be checked now. */
  #begin(route: ObservedRoute, index: number, end: number): boolean {
    const accused = route.spans[index]!
    const witnesses = this.#witnesses(accused, [accused], { tokens: end, maxLength: route.maxLength })
    const evidence = witnesses && route.evidence(index, end)
    if (!evidence || !this.#areAsBefore([evidence.span])) {
      this.#budget.postpone(accused.peer)
      return false
    }
    this.#begun(accused, this.#check(evidence, witnesses))
    return true
  }

  #begun(accused: Span, check: Promise<CheckOutcome>): void {
    this.#running = check
      .then(this.#report, (error: unknown) => this.#skip(accused, error))
      .finally(() => (this.#running = undefined))
  }

  #witnesses(
    accused: Span,
    asked: readonly Span[],
    length: Pick<WitnessOptions, 'tokens' | 'maxLength'>,
    // A server names its kind itself: the third opinion is taken from all that are able, so that it can't choose both.
    prefersKind = asked.length === 1,
  ): readonly Span[] | undefined {
    const excluded = new Set(asked.map(({ peer }) => peer))
    const kindOf = (span: Span): string | undefined => {
      const { kind, isKnown } = this.#precisionOf(span)
      return isKnown && prefersKind ? kind : undefined
    }
    const options = { ...length, kindOf, random: this.#random }
    return chooseWitnesses(this.#context.router.status(), accused, excluded, options)
  }

  /**
   * Reports whether these servers still announce how they computed: a server that was started again with another number type
   * contradicts itself, and is right both times.
   */
  #areAsBefore(spans: readonly Span[]): boolean {
    const present = new Map(this.#context.router.status().map(({ peer, server }) => [peer, server]))
    return spans.every(({ peer, server }) => {
      const now = present.get(peer)
      return now !== undefined && likenessOf(now, server) === 'same'
    })
  }

  #precisionOf(span: Span): Precision {
    return precisionOf(span, this.#context.codecs.of(span.peer))
  }

  async #check(evidence: Evidence, witnesses: readonly Span[]): Promise<CheckOutcome> {
    const accused = { blocks: evidence.span, servers: [evidence.span], outputs: evidence.outputs }
    const witness = await this.#ask(evidence, witnesses)
    const comparison = this.#compare(accused, witness)
    this.#log(evidence, witnesses, comparison)
    return comparison.likeness === 'alike'
      ? this.#agreed(accused, comparison)
      : this.#differing(evidence, accused, witness, comparison)
  }

  #agreed(accused: Answer, { peers, servers, difference }: Compared): CheckOutcome {
    this.#tolerances.learn(servers, difference)
    this.#context.router.verdicts.agree(peers)
    return { span: accused.servers[0]!, result: 'alike' }
  }

  async #differing(
    evidence: Evidence,
    accused: Answer,
    witness: Answer,
    comparison: Compared,
  ): Promise<CheckOutcome> {
    return comparison.likeness === 'doubtful'
      ? this.#doubt(evidence, accused, witness, comparison)
      : this.#settle(evidence, accused, witness, comparison.difference)
  }

  /**
   * Has a third server of their kind compute what two have computed that may differ so much, but seldom do. Only if one of them is
   * alone with it is it wrong. Without a third one the two are alike, but nothing is learnt of them: a server that lies from the start would
   * teach what to tolerate. A third one that differs as no two servers may is a witness against the first like any other.
   */
  async #doubt(
    evidence: Evidence,
    accused: Answer,
    witness: Answer,
    between: Compared,
  ): Promise<CheckOutcome> {
    const [span] = accused.servers as readonly [Span]
    const [other, ...more] = witness.servers as readonly [Span, ...Span[]]
    const length = { tokens: this.#tokensOf(evidence), maxLength: evidence.maxLength }
    // What a server was pushed is not known for sure, and of several witnesses each may be the one that differs.
    const canTell = evidence.pushedBy === undefined && more.length === 0
    const thirds = canTell ? this.#witnesses(span, [span, other], length, true) : undefined
    const isOfKind = (each: Span): boolean => this.#precisionOf(each).kind === this.#precisionOf(span).kind
    if (thirds?.length !== 1 || !thirds.every(isOfKind)) return { span, result: 'alike' }
    const third = await this.#ask(evidence, thirds)
    const fromUsed = this.#compare(accused, third)
    const fromWitness = this.#compare(witness, third)
    this.#log(evidence, thirds, fromUsed)
    await this.#requireAsBefore([span, other, ...thirds])
    const isAlone = (one: Comparison, two: Comparison, others: Comparison): boolean =>
      this.#tolerances.isAlone(one, two, others.difference)
    if (isAlone(between, fromUsed, fromWitness))
      return this.#convict(span, [other, ...thirds], between.difference)
    if (isAlone(between, fromWitness, fromUsed))
      return this.#convict(other, [span, ...thirds], between.difference)
    if (fromUsed.likeness === 'different') return this.#settle(evidence, accused, third, fromUsed.difference)
    return fromWitness.likeness === 'different' ? { span, result: 'alike' } : this.#agreed(accused, between)
  }

  /** @throws Error if one of the servers announces by now that it computes in another way */
  async #requireAsBefore(spans: readonly Span[]): Promise<void> {
    await this.#context.router.refresh({ signal: this.#closing.signal })
    if (!this.#areAsBefore(spans)) throw new Error('A server of the check was started again.')
  }

  /** Asks for further opinions, and acts on what they say. */
  async #settle(
    evidence: Evidence,
    accused: Answer,
    witness: Answer,
    difference: Difference,
  ): Promise<CheckOutcome> {
    const { span, pushedBy } = evidence
    // The server before it may have pushed other inputs than it reported: then its answer was right.
    const opinions = pushedBy === undefined ? await this.#opinions(evidence, accused, witness) : {}
    const guilty = decide(opinions)
    const others = [...witness.servers, ...(opinions.third?.by ?? [])]
    await this.#requireAsBefore([span, ...others])
    if (guilty === 'accused') return this.#convict(span, others, difference)
    if (guilty === 'unknown') return this.#dispute([span, ...witness.servers], difference, pushedBy)
    if (witness.servers.length > 1) return this.#dispute(witness.servers, difference)
    return this.#convict(witness.servers[0]!, [span, ...(opinions.third?.by ?? [])], difference)
  }

  /** As few as decide. */
  async #opinions(evidence: Evidence, accused: Answer, witness: Answer): Promise<GivenOpinions> {
    const { span, maxLength } = evidence
    const length = { tokens: this.#tokensOf(evidence), maxLength }
    const opinionOf = async (servers: readonly Span[] | undefined): Promise<GivenOpinion | undefined> => {
      const answer = servers && (await this.#ask(evidence, servers).catch(() => undefined))
      return (
        answer && {
          by: answer.servers,
          withUsed: this.#compare(accused, answer).likeness !== 'different',
          withWitness: this.#compare(witness, answer).likeness !== 'different',
        }
      )
    }
    const asked = [span, ...witness.servers]
    let third: GivenOpinion | undefined
    for (let tries = 0; tries < mostThirds && !third; tries++) {
      const servers = this.#witnesses(span, asked, length)
      if (!servers) break
      third = await opinionOf(servers)
      asked.push(...servers)
    }
    if (decide({ third }) !== 'unknown') return { third }
    const again = await opinionOf([span])
    if (decide({ again }) !== 'unknown' || witness.servers.length > 1) return { third, again }
    return { third, again, witnessAgain: await opinionOf(witness.servers) }
  }

  #convict(span: Span, against: readonly Span[], difference: Difference): CheckOutcome {
    const { router, logger } = this.#context
    const peers = against.map(({ peer }) => peer)
    router.verdicts.convict(span.peer, peers, difference.typical)
    logger.warn(
      { ...fieldsOf(span, against), ...difference },
      'a server computes something else than its blocks: it is not used any more',
    )
    return { span, result: 'wrong' }
  }

  /** One of these servers is wrong, or the one that pushed the first its inputs. */
  #dispute(servers: readonly Span[], difference: Difference, pushedBy?: PeerId): CheckOutcome {
    const { router, logger } = this.#context
    const [span, ...against] = servers as readonly [Span, ...Span[]]
    const isKnown = router.verdicts.of(span.peer) !== undefined
    const peers = [
      span.peer,
      ...(pushedBy === undefined ? [] : [pushedBy]),
      ...against.map(({ peer }) => peer),
    ]
    router.verdicts.dispute(peers, difference.typical)
    logger[isKnown ? 'debug' : 'warn'](
      { ...fieldsOf(span, against), ...difference },
      'servers compute something else from the same inputs: one of them is wrong, and it is not known which',
    )
    return { span, result: 'disputed' }
  }

  /** Has servers compute the evidence's outputs. */
  async #ask(evidence: Evidence, servers: readonly Span[]): Promise<Answer> {
    const { span, from } = evidence
    this.#budget.spend(span.peer, span.server, this.#tokensOf(evidence))
    const outputs = await this.#rerun(servers, evidence)
    return { blocks: span, servers, outputs: outputs.subarray(from * this.#context.hiddenSize) }
  }

  /** A server that fails at a check, or takes too long for it, is treated as one that fails at an answer. */
  async #rerun(servers: readonly Span[], evidence: Evidence): Promise<Float32Array> {
    const { config, router } = this.#context
    const closing = this.#closing.signal
    const deadline = AbortSignal.timeout(config.stepTimeoutMs)
    try {
      return await rerun(this.#context, servers, evidence, AbortSignal.any([closing, deadline]))
    } catch (error) {
      if (closing.aborted) throw error
      if (error instanceof HopFailure) router.reportFailure(servers[error.index]!.peer, error.cause)
      else if (deadline.aborted) {
        const late = new DeadlineExceededError('A server of a spot check', config.stepTimeoutMs)
        for (const { peer } of servers) router.reportFailure(peer, late)
      }
      throw error
    }
  }

  #tokensOf({ inputs }: Evidence): number {
    return inputs.length / this.#context.hiddenSize
  }

  #compare(a: Answer, b: Answer): Compared {
    const spans = [...a.servers, ...b.servers]
    const comparison = {
      servers: spans.map((server) => this.#precisionOf(server)),
      blocks: rangeLength(a.blocks),
      difference: differenceOf(a.outputs, b.outputs, this.#context.hiddenSize),
    }
    return {
      ...comparison,
      peers: spans.map(({ peer }) => peer),
      likeness: this.#tolerances.likenessOf(comparison),
    }
  }

  #skip(accused: Span, error: unknown): void {
    this.#budget.postpone(accused.peer)
    if (this.#closing.signal.aborted) return
    this.#report({ span: accused, result: 'skipped' })
    this.#context.logger.debug({ peer: accused.peer, err: error }, 'a spot check could not be made')
  }

  #log(evidence: Evidence, witnesses: readonly Span[], { difference, likeness }: Compared): void {
    const { span, from } = evidence
    const end = this.#tokensOf(evidence)
    const by = witnesses.map(({ peer }) => peer)
    this.#context.logger.debug({ peer: span.peer, by, from, end, ...difference, likeness }, 'spot check')
  }
}

const fieldsOf = (span: Span, against: readonly Span[]) => ({
  peer: span.peer,
  blocks: formatBlocks(blocksOf(span)),
  against: against.map(({ peer }) => peer),
})
