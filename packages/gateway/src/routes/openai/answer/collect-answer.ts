import type { PetalsBody } from '@petals-chat/api'
import { CostTotal } from '../response/usage.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes } from './answer-job.ts'

/** All choices of a job as one body. A failure in the middle is thrown: partial answers are never returned. */
export async function collectAnswer<Types extends AnswerTypes>(
  job: AnswerJob<Types>,
  events: AsyncIterable<AnswerEvent<Types>>,
) {
  const choices: Types['choice'][] = []
  const cost = new CostTotal()
  let petals: PetalsBody | undefined
  let draft = job.draft()
  for await (const event of events) {
    if (event.type === 'wait') continue
    if (event.type === 'delta') {
      draft.add(event.delta)
      continue
    }
    cost.add(event.cost, event.isFirstOfPrompt)
    petals = event.petals
    choices.push(draft.finished(event.index, event.finishReason))
    draft = job.draft()
  }
  return {
    ...job.head,
    object: job.object.body,
    choices,
    usage: cost.usage(),
    timings: cost.timings(),
    ...(petals && { petals }),
  }
}
