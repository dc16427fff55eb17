import type { TokenId } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { DraftPlanner, type Guesses } from './draft-planner.ts'

/** Guesses so many tokens, each of which is right with this probability if those before it are. */
class SteadyGuesses implements Guesses {
  readonly #rate: number
  readonly #count: number

  constructor(rate: number, count = 15) {
    this.#rate = rate
    this.#count = count
  }

  survival(): Float64Array {
    return Float64Array.from({ length: this.#count }, (_, index) => this.#rate ** (index + 1))
  }
  draft(count: number): readonly TokenId[] {
    return Array.from({ length: count }, (_, index) => index)
  }
}

const quoting = new SteadyGuesses(0.99)
const silent = new SteadyGuesses(0, 0)

/** Computes rounds with these times, in which guesses turn out as they expect. Returns the numbers of drafts of the last ones. */
function rounds(
  answers: readonly Guesses[],
  cost: (width: number) => number,
  count = 100,
): readonly (readonly number[])[] {
  const planner = new DraftPlanner()
  const known = answers.length
  const plans = Array.from({ length: count }, () => {
    const drafts = planner.plan(answers).map(({ length }) => length)
    const drafted = drafts.reduce((sum, each) => sum + each, 0)
    const right = drafts.map((each, index) =>
      answers[index]!.survival()
        .slice(0, each)
        .reduce((sum, probability) => sum + probability, 0),
    )
    const chosen = known + right.reduce((sum, each) => sum + each, 0)
    planner.settle({ known, drafted, chosen, ms: cost(known + drafted) })
    return drafts
  })
  return plans.slice(-20)
}

/** A CPU on which a step takes half of its time whatever its width, as measured for SmolLM2 on one thread. */
const cpu = (width: number): number => 10 + 8.5 * width
const gpu = (width: number): number => 10 + 0.05 * width

describe('DraftPlanner', () => {
  it('drafts much where steps of several tokens cost hardly more', () => {
    expect(Math.min(...rounds([quoting], gpu).flat())).toBeGreaterThan(7)
    expect(Math.min(...rounds([quoting], cpu).flat())).toBeGreaterThan(3)
  })

  it('drafts nothing where a token costs the same in any step, but for a try now and then', () => {
    expect(rounds([quoting], (width) => 10 * width).filter(([count]) => count! > 0).length).toBeLessThan(2)
  })

  it('drafts nothing that is hardly ever right', () => {
    expect(rounds([new SteadyGuesses(0.02)], cpu).flat()).toEqual(Array(20).fill(0))
  })

  it('goes on after steps that hung, on a machine that other programs use', () => {
    let steps = 0
    const busy = (width: number): number => cpu(width) * (steps++ % 12 === 11 ? 20 : 1)
    expect(rounds([quoting], busy, 200).filter(([count]) => count! > 3)).toHaveLength(20)
  })

  it('takes the likeliest drafts of all answers', () => {
    const [plan] = rounds([quoting, new SteadyGuesses(0.6), new SteadyGuesses(0.05)], gpu).slice(-1)
    const [sure, fair, poor] = plan!
    expect(sure).toBeGreaterThan(fair!)
    expect(fair).toBeGreaterThan(poor!)
  })

  it('lets answers that guess nothing wait for those that do by a quarter of a step at most', () => {
    const width = (plan: readonly number[]) => plan.reduce((sum, count) => sum + count + 1, 0)
    const shared = rounds([quoting, quoting, quoting, silent], cpu)
    expect(Math.max(...shared.map((plan) => cpu(width(plan))))).toBeLessThanOrEqual(cpu(4) * 1.25)
    const alone = rounds([quoting, quoting, quoting, quoting], cpu)
    expect(Math.max(...alone.map(width))).toBeGreaterThan(Math.max(...shared.map(width)))
  })

  it('drafts no more than a step has room for', () => {
    const many = Array.from({ length: 60 }, () => quoting)
    for (const plan of rounds(many, gpu)) expect(plan.reduce((sum, count) => sum + count, 0)).toBeLessThan(5)
    expect(rounds(Array<Guesses>(64).fill(quoting), gpu).flat()).toEqual(Array(64 * 20).fill(0))
  })
})
