import assert from 'node:assert/strict'
import type { TokenLogprob } from '../../engine.ts'
import { expectInvalid } from './expect-error.ts'
import { onSession, take, takeIds, type ComplianceContext } from './subject.ts'

const TOP = 5

function assertTop(
  top: readonly TokenLogprob[] | undefined,
  count: number,
): asserts top is readonly TokenLogprob[] {
  assert.equal(top?.length, count)
  assert.ok(
    top.every(({ logprob }) => logprob <= 1e-6),
    'a probability is at most 1',
  )
  assert.ok(
    top.every(({ logprob }, index) => index === 0 || logprob <= top[index - 1]!.logprob),
    'most probable first',
  )
  const sum = top.reduce((total, { logprob }) => total + Math.exp(logprob), 0)
  assert.ok(sum <= 1 + 1e-4, `probabilities sum up to ${sum}`)
  assert.equal(new Set(top.map(({ token }) => token)).size, count)
}

export function logprobRules({ rule, model, prompts, logprobTolerance }: ComplianceContext): void {
  rule('gives valid log probabilities, or refuses to', async () => {
    const [prompt = []] = prompts()
    await onSession(model(), async (session) => {
      if (!model().capabilities.logprobs) {
        await expectInvalid(() => take(session, prompt, 1, { topLogprobs: TOP }), 'top_logprobs')
        return
      }
      for (const { token, logprob, topLogprobs } of await take(session, prompt, 4, { topLogprobs: TOP })) {
        assertTop(topLogprobs, TOP)
        assert.equal(topLogprobs[0]!.token, token, 'a greedy token is the most probable one')
        assert.equal(logprob, topLogprobs[0]!.logprob)
      }
    })
  })

  rule('gives the probability of a chosen token that is not among the most probable', async () => {
    if (!model().capabilities.logprobs) return
    const [prompt = []] = prompts()
    const [best = 0] = await onSession(model(), (session) => takeIds(session, prompt, 1))
    const options = { topLogprobs: 1, sampling: { temperature: 0, logitBias: new Map([[best, -100]]) } }
    const [second] = await onSession(model(), (session) => take(session, prompt, 1, options))
    assertTop(second?.topLogprobs, 1)
    assert.equal(second?.topLogprobs?.[0]?.token, best, 'probabilities are those before bias and filters')
    assert.ok(second.logprob! <= second.topLogprobs[0]!.logprob)

    const [alone] = await onSession(model(), (session) => take(session, prompt, 1, { topLogprobs: 0 }))
    assert.deepEqual(alone?.topLogprobs, [])
    assert.equal(typeof alone?.logprob, 'number')
  })

  rule('gives no log probabilities unless asked', async () => {
    const [prompt = []] = prompts()
    const [plain] = await onSession(model(), (session) => take(session, prompt, 1))
    assert.equal(plain?.logprob, undefined)
    assert.equal(plain?.topLogprobs, undefined)
  })

  rule('scores a text with the probabilities with which it was generated', async () => {
    if (!model().capabilities.promptLogprobs) return
    const [prompt = []] = prompts()
    const generated = await onSession(model(), (session) => take(session, prompt, 6, { topLogprobs: TOP }))
    const text = [...prompt, ...generated.map(({ token }) => token)]
    await onSession(model(), async (session) => {
      const scores = await session.score!(text, { topLogprobs: TOP })
      assert.deepEqual(
        scores.map(({ token }) => token),
        text,
      )
      assert.deepEqual([...session.tokens], text, 'scored tokens are in the cache')
      assert.equal(scores[0]?.logprob, undefined, 'nothing precedes the first token')
      assert.deepEqual(scores[0]?.topLogprobs, [])
      for (const [index, { logprob }] of generated.entries()) {
        const score = scores[prompt.length + index]!
        assertTop(score.topLogprobs, TOP)
        const difference = Math.abs(score.logprob! - logprob!)
        assert.ok(difference <= logprobTolerance, `log probabilities differ by ${difference}`)
      }
    })
  })

  rule('scores a text in parts as it scores it at once', async () => {
    if (!model().capabilities.promptLogprobs) return
    const [prompt = []] = prompts()
    const whole = await onSession(model(), (session) => session.score!(prompt))
    const parts = await onSession(model(), async (session) => [
      ...(await session.score!(prompt.slice(0, 2))),
      ...(await session.score!(prompt.slice(2))),
    ])
    for (const [index, { logprob }] of whole.entries()) {
      assert.ok(Math.abs((parts[index]!.logprob ?? 0) - (logprob ?? 0)) <= logprobTolerance)
    }
  })
}
