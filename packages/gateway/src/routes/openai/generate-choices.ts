import {
  generateText,
  type GenerationEvent,
  type Model,
  type Session,
  type TextRequest,
} from '@petals-chat/engine'
import { samplingOfChoice } from './request/sampling.ts'

export interface ChoiceEvent {
  /** Which of the choices of this prompt. */
  readonly choice: number
  readonly event: GenerationEvent
}

/** Answers the same prompt `count` times, one after the other on the same session: the prompt is run once. */
export async function* generateChoices(
  model: Model,
  session: Session,
  request: TextRequest,
  count: number,
): AsyncGenerator<ChoiceEvent, void, undefined> {
  for (let choice = 0; choice < count; choice++) {
    const sampling = samplingOfChoice(request.sampling, choice)
    for await (const event of generateText(model, session, { ...request, sampling })) yield { choice, event }
  }
}
