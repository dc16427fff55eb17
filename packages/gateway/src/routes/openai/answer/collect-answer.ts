import type { PetalsBody } from '@petals-chat/api'
import { CostTotal } from '../response/usage.ts'
import type { AnswerJob } from './answer-job.ts'
import type { AnswerEvent } from './run-answer.ts'

/** A choice that grows piece by piece. */
export interface ChoiceDraft<Delta, FinishReason, Choice> {
  add(delta: Delta): void
  finished(index: number, finishReason: FinishReason): Choice
}

/** All choices of a job as one body. A failure in the middle is thrown: partial answers are never returned. */
export async function collectAnswer<Delta, FinishReason, Choice, Kind extends string>(
  { head }: AnswerJob,
  events: AsyncIterable<AnswerEvent<Delta, FinishReason>>,
  object: Kind,
  newDraft: () => ChoiceDraft<Delta, FinishReason, Choice>,
) {
  const choices: Choice[] = []
  const cost = new CostTotal()
  let petals: PetalsBody | undefined
  let draft = newDraft()
  for await (const event of events) {
    if (event.type === 'wait') continue
    if (event.type === 'delta') {
      draft.add(event.delta)
      continue
    }
    cost.add(event.cost, event.isFirstOfPrompt)
    petals = event.petals
    choices.push(draft.finished(event.index, event.finishReason))
    draft = newDraft()
  }
  return {
    ...head,
    object,
    choices,
    usage: cost.usage(),
    timings: cost.timings(),
    ...(petals && { petals }),
  }
}
