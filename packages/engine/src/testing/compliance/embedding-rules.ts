import assert from 'node:assert/strict'
import { expectInvalid } from './expect-error.ts'
import type { ComplianceContext } from './subject.ts'

export function embeddingRules({ rule, model, prompts }: ComplianceContext): void {
  rule('embeds texts as directions: length 1, the same text the same', async () => {
    if (!model().capabilities.embeddings) return
    const [text = [], other = []] = prompts()
    const embed = (tokens: readonly number[]) => model().embed!(tokens)
    const [first, again, different] = [await embed(text), await embed(text), await embed(other)]
    assert.ok(Math.abs(Math.hypot(...first) - 1) < 1e-3, 'L2 norm 1')
    assert.equal(different.length, first.length)
    assert.ok(cosine(first, again) > 0.999)
    assert.ok(cosine(first, different) < 0.999)
    await expectInvalid(() => embed([]), 'input')
    await expectInvalid(() => embed([model().tokenizer.vocabSize]), 'input')
  })
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * b[index]!, 0)
}
