import type { PetalsBody } from '@petals-chat/api'
import { responseHead } from './head.ts'
import type { OpenAIForm } from './openai-form.ts'
import { CostTotal } from './usage.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes } from '../../../generation/answer/answer-job.ts'

/** All choices of a job as one body. A failure in the middle is thrown: partial answers are never returned. */
export async function collectAnswer<Job extends AnswerJob<Types>, Types extends AnswerTypes>(
  job: Job,
  form: OpenAIForm<Job, Types>,
  events: AsyncIterable<AnswerEvent<Types>>,
) {
  const choices: object[] = []
  const cost = new CostTotal()
  let petals: PetalsBody | undefined
  let draft = form.draft(job)
  for await (const event of events) {
    if (event.type === 'wait') continue
    if (event.type === 'delta') {
      draft.add(event.delta)
      continue
    }
    cost.add(event.cost, event.isFirstOfPrompt)
    petals = event.petals
    choices.push(draft.finished(event.index, event.finishReason))
    draft = form.draft(job)
  }
  return {
    ...responseHead(form.idPrefix, job.head),
    object: form.object.body,
    choices,
    usage: cost.usage(),
    timings: cost.timings(),
    ...(petals && { petals }),
  }
}
