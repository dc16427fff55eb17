import { ensureModel, findModel } from '../../../swarm/models.ts'
import { python, script } from '../../../swarm/paths.ts'
import { run } from '../../../swarm/run.ts'

/** On a slow machine, beside other tests, transformers takes minutes for several long answers. */
const referenceMs = 800_000

export interface ReferenceAnswer {
  /** The greedy continuation. */
  readonly ids: readonly number[]
  /** The logits from which the last id was chosen. */
  readonly lastLogits: readonly number[]
}

/** Runs transformers itself with this model on this machine, in float32. End-of-sequence tokens do not stop it. */
export async function referenceAnswers(
  model: string,
  prompts: readonly (readonly number[])[],
  newTokens: number,
): Promise<readonly ReferenceAnswer[]> {
  const request = { model: await ensureModel(findModel(model)), prompts, newTokens, logits: true }
  const { answers } = JSON.parse(
    await run(python, [script('reference.py')], { input: JSON.stringify(request), timeoutMs: referenceMs }),
  ) as { readonly answers: readonly ReferenceAnswer[] }
  return answers
}
